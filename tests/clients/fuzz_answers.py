"""What an answer to a generated request must be: its status, its schema, its headers."""

import csv
import datetime
import json
import re
import tomllib

import consumption
import jsonschema_rs
import servers

SCENARIOS = servers.ROOT / "tests/azure-billing/scenarios"
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1, "multipleOf": 1}
KEPT = {"type", "enum", "format", "items", "properties", "required", "additionalProperties"}
KEPT |= {"maxItems", "minimum", "maximum", "pattern", "readOnly"}


class Wrong(Exception):
    """An answer that breaks a rule: the rule in few words, and what broke it."""

    def __init__(self, rule, found):
        super().__init__(f"{rule}: {found}")
        self.rule, self.found = rule, found


def unread():
    """Members of bodies that are taken whatever they hold, beside those that are read only."""
    with open(servers.ROOT / "tests/azure-billing/not_taken.csv", newline="") as file:
        return {row["member"].rsplit(".", 1)[-1] for row in csv.DictReader(file)}


def read(file):
    """A description that admits what it declares and nothing else, and its operations by id."""
    document = json.loads(file.read_text())
    document["definitions"] = strict_all(document["definitions"])
    methods = [method for path in document["paths"].values() for method in path.values()]
    return document, {operation["operationId"]: operation for operation in methods}


def strict_all(definitions):
    found = {name: strict(definitions, schema) for name, schema in definitions.items()}
    bases = [name for name, schema in definitions.items() if "discriminator" in schema]
    return found | {name: by_kind(definitions, name) for name in bases}


def by_kind(definitions, base):
    """A schema of objects each of which is as the subclass that its discriminator names says."""
    member, above = definitions[base]["discriminator"], {"$ref": f"#/definitions/{base}"}
    subclasses = {
        schema.get("x-ms-discriminator-value", name): {"$ref": f"#/definitions/{name}"}
        for name, schema in definitions.items()
        if above in schema.get("allOf", [])
    }
    # Not `oneOf`: so an error tells what is wrong with the subclass that was meant.
    return {
        "type": "object",
        "required": [member],
        "properties": {member: {"enum": [*subclasses]}},
        "allOf": [
            {"if": {"properties": {member: {"const": kind}}}, "then": schema}
            for kind, schema in subclasses.items()
        ],
    }


def strict(definitions, schema):
    """A schema that admits what it declares and nothing else.

    Three faults of the descriptions are put right: they leave out `type: object`, so that anything
    would be a resource; they allow members that they do not declare; and they put objects together
    by `allOf`, of which no part may forbid the members of another.
    """
    if "$ref" in schema:
        return {key: schema[key] for key in ("$ref", "readOnly") if key in schema}
    found = {key: value for key, value in schema.items() if key in KEPT}
    for part in schema.get("allOf", []):
        part = definitions[part["$ref"].split("/")[-1]] if "$ref" in part else part
        part = strict(definitions, part)
        found["properties"] = part.get("properties", {}) | found.get("properties", {})
        found["required"] = part.get("required", []) + found.get("required", [])
    if "properties" in found:
        members = found["properties"].items()
        found["properties"] = {name: strict(definitions, of) for name, of in members}
        found["type"] = "object"
        found.setdefault("additionalProperties", False)
    if "items" in found:
        found["items"] = strict(definitions, found["items"])
    if found.get("format") == "int32":
        found |= INT32
    if not found.get("required"):
        found.pop("required", None)
    return found


def taken(schema, unread):
    """The same for bodies, some of whose members are not looked at."""
    found = {key: of for key, of in schema.items() if key != "items"}
    if "items" in schema:
        found["items"] = taken(schema["items"], unread)
    for name, of in schema.get("properties", {}).items():
        is_read = name not in unread and not of.get("readOnly")
        found["properties"] = found["properties"] | {name: taken(of, unread) if is_read else {}}
    return found


def without_nulls(body):
    """`null` is a member that is left out."""
    if isinstance(body, dict):
        return {key: without_nulls(of) for key, of in body.items() if of is not None}
    return [without_nulls(of) for of in body] if isinstance(body, list) else body


def is_instant(text):
    """RFC 3339, with an offset."""
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


def is_time(text):
    """A date alone is its midnight."""
    return is_instant(text) or is_instant(f"{text}T00:00:00Z")


def billing_lists():
    """The statuses that each operation may answer with, and those with which what it accepts ends,
    by version and operation."""
    lists = {}
    for file in sorted(SCENARIOS.glob("*.toml")):
        for row in tomllib.loads(file.read_text())["scenario"]:
            may, end = lists.setdefault((row["version"], row["operation"]), (set(), set()))
            may.update(row["statuses"])
            end.update(row["statuses"], [row["ends"]] if "ends" in row else [])
    return {key: (may, end - {202}) for key, (may, end) in lists.items()}


def consumption_lists():
    """The same of Azure Consumption, where nothing takes its time."""
    told = {}
    for file in consumption.files():
        told |= file["statuses"]
    versions = [(of, consumption.served(of)) for of in consumption.VERSIONS]
    return {
        (version, operation): (set(told[operation]), set(told[operation]))
        for version, served in versions
        for operation in served
    }


def is_running(answer, is_status):
    """Whether a result, or a status, tells that a change is not done; a status is always there."""
    if not is_status:
        return answer.status_code == 202
    if answer.status_code != 200:
        raise Wrong("status is not there", f"{answer.status_code} {answer.text[:300]}")
    try:
        found = answer.json()["status"]
    except (ValueError, TypeError, KeyError) as problem:
        raise Wrong("status without a status", answer.text[:300]) from problem
    if found not in ("InProgress", "Succeeded", "Failed"):
        raise Wrong("status that no client knows", answer.text[:300])
    return found == "InProgress"


def told(path):
    """Where in a body; rows of a list are one."""
    return "/".join("[]" if isinstance(of, int) else of for of in path) or "its root"


class Answers:
    """Checks answers of one version against its description."""

    def __init__(self, version, described, served, lists, unread):
        """`unread` has members of bodies that are taken whatever they hold."""
        document, self.operations = described
        self.lists = {operation: may for (of, operation), may in lists.items() if of == version}
        missing = sorted(served.keys() - self.lists.keys())
        assert not missing, f"no scenario of {version} tells the statuses of {missing}"
        self.definitions, self.validators = document["definitions"], {}
        definitions = self.definitions.items()
        self.bodies = {name: taken(schema, unread) for name, schema in definitions}

    def check(self, operation, answer, is_wrong_method=False, has_ended=False):
        """Raises `Wrong` unless the answer to a request is one that the operation may give."""
        status, headers = answer.status_code, answer.headers
        if status >= 500:
            raise Wrong("5xx", f"{status} {answer.text[:300]}")
        may, end = self.lists[operation]
        may = {404, 405} if is_wrong_method else end if has_ended else may
        if status not in may:
            raise Wrong("status outside the closed list", f"{status} {answer.text[:300]}")
        if "x-ms-request-id" not in headers:
            raise Wrong("no x-ms-request-id", dict(headers))
        if status == 202:
            self.accepted(answer)
        self.body(operation, answer)

    def accepted(self, answer):
        for name in ("Location", "Retry-After"):
            if not answer.headers.get(name):
                raise Wrong(f"202 without {name}", dict(answer.headers))
        if not answer.headers["Location"].startswith("https://"):
            raise Wrong("Location is not absolute", answer.headers["Location"])

    def body(self, operation, answer):
        """The body is there where it is declared, is JSON, and is as its schema says."""
        schema = self.schema(operation, answer.status_code)
        if schema is None:
            if answer.content:
                raise Wrong("a body where none is declared", answer.text[:300])
            return
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        if kind != "application/json":
            raise Wrong("content type", f"`{kind}` {answer.text[:300]}")
        try:
            found = json.loads(answer.content)
        except ValueError as problem:
            raise Wrong("not JSON", f"{problem} {answer.text[:300]}") from problem
        status = answer.status_code
        validator = self.validator(operation, status if status < 300 else "error", schema)
        for error in validator.iter_errors(found):
            place = told(error.instance_path)
            raise Wrong(f"schema of {status} at {place}", error.message[:300])

    def schema(self, operation, status):
        """The declared schema of a status, that of errors for what is not declared."""
        responses = self.operations[operation]["responses"]
        if status == 304:
            return None
        if status < 300 and str(status) not in responses:
            raise Wrong("success that is not declared", status)
        return responses.get(str(status), responses["default"]).get("schema")

    def taken(self, operation, body):
        """A body that was taken is one that the description admits."""
        parameters = self.operations[operation].get("parameters", [])
        for parameter in parameters if isinstance(body, (dict, list, str, int, float)) else ():
            if parameter.get("in") == "body":
                validator = self.validator(operation, "body", parameter["schema"], self.bodies)
                for error in validator.iter_errors(without_nulls(body)):
                    place = told(error.instance_path)
                    raise Wrong(f"taken, invalid at {place}", error.message[:300])

    def validator(self, operation, of, schema, definitions=None):
        key = (operation, of)
        if key not in self.validators:
            definitions = definitions or self.definitions
            whole = {"definitions": definitions, "allOf": [strict(definitions, schema)]}
            self.validators[key] = jsonschema_rs.Draft7Validator(
                whole,
                validate_formats=True,
                formats={
                    "date-time": is_time if of == "body" else is_instant,
                    "uuid": lambda text: bool(UUID.fullmatch(text)),
                },
            )
        return self.validators[key]
