"""The billing usage API as its users have it: every credential, newman, a generated client.

Results are verified by the published packages of Standard Webhooks.
"""

import base64
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import plain
import servers
from node_client import TOOLS, node
from usage_api_receiver import Receiver

HERE = pathlib.Path(__file__).parent
SPECS = pathlib.Path(os.environ.get("RECKONER_SPECS") or servers.ROOT.parent / "shared/specs")
DESCRIPTION = SPECS / "infobip/billing-usage-openapi.json"
COLLECTION = SPECS / "infobip/billing-usage.postman_collection.json"
PYTHON = TOOLS / "usage/bin/python"
NEWMAN = TOOLS / "node/node_modules/newman/bin/newman.js"
QUERY, REQUEST_ID = "/billing/1/usage/query", re.compile(r"^[0-9A-F]{32}$")
MEASURES = ["UNIT_TYPE", "UNIT_PRICE", "QUANTITY", "TOTAL_PER_UNIT", "CURRENCY"]
# What a table calls them.
IN_TABLES = ["unit", "unit_price", "quantity", "total", "currency"]
# Times of results, to be compared with those of a client: without a colon in the offset.
OFFSET = re.compile(r"(T\d\d:\d\d:\d\d\.\d{3})\+0000\b")
# What the published collection asks as it stands: some of what is wrong with it.
WRONG = {
    "callbackUrl",
    "request.filterBy.categories",
    "request.filterBy.dateInterval.sentSince",
    "request.filterBy.dateInterval.sentUntil",
}
ERROR = {"errorCode", "description", "action", "violations", "resources"}


class Usage:
    """What users of the demo's messaging company ask."""

    def __init__(self, tally, place, context_file, receiver):
        self.tally, self.place, self.receiver = tally, place, receiver
        self.context_file = context_file
        self.context = json.loads(context_file.read_text())
        self.told, self.tls = self.context["usage_api"], plain.Reader(self.context).tls
        self.base = self.told["base_url"]
        self.key = f"App {self.told['api_key']}"

    def check(self, what, rule, *words):
        self.tally.check(f"demo: billing usage, {what}", rule, *words)

    def run(self):
        self.check("every credential asks", self.credentials)
        self.check("what does not open it", self.refusals)
        self.check("accounts", self.accounts)
        self.check("the same bytes with each attempt, verified by both packages", self.attempts)
        self.check("the same bytes again, when asked for", self.sent_again)
        self.check("results are read again, as JSON and as CSV", self.results)
        if not SPECS.exists():
            self.tally.leave_out(f"newman, generated client ({SPECS} is not there)")
            return
        self.check("the published collection by newman, as it stands", self.newman_as_it_stands)
        self.check("the published collection by newman, with a real body", self.newman_for_real)
        self.check("a generated client", self.generated)

    def question(self, name, *statuses, **more):
        """A body of the contract that asks for a final month, and calls the receiver."""
        window = self.told["window"]
        interval = {"sentSince": window["from"], "sentUntil": window["to"]}
        request = {"aggregateBy": ["MONTH", "ACCOUNT_KEY", "COUNTRY_CODE"]}
        request["filterBy"] = {"dateInterval": interval} | more.pop("filter_by", {})
        request |= {"options": {"includeUnfinalizedData": True}} | more
        return {"callbackUrl": self.receiver.address(name, *statuses), "request": request}

    def ask(self, path, body=None, verb=None, credential=None, **headers):
        """Status, headers and bytes; who asks too much is told when to ask again."""
        if not isinstance(body, (bytes, type(None))):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        if credential != "nobody":
            headers["Authorization"] = credential or self.key
        for _ in range(5):
            request = urllib.request.Request(self.base + path, body, headers, method=verb)
            try:
                answer = urllib.request.urlopen(request, context=self.tls, timeout=60)
            except urllib.error.HTTPError as refusal:
                answer = refusal
            with answer:
                if answer.status != 429:
                    return answer.status, answer.headers, answer.read()
                time.sleep(float(answer.headers.get("Retry-After") or 5))
        raise AssertionError(f"{path}: asked too much, again and again")

    def submit(self, body, credential=None):
        status, _, text = self.ask(QUERY, body, credential=credential)
        assert status == 201, (status, text)
        answer = json.loads(text)
        assert list(answer) == ["requestId"] and REQUEST_ID.match(answer["requestId"]), answer
        return answer["requestId"]

    def delivered(self, name, request_id, count=1, credential=None):
        """The last delivery to an address: verified as its asker does, a result of that query."""
        deliveries = self.receiver.wait(name, count)
        self.is_signed(deliveries, credential=credential)
        result = plain.parse(deliveries[-1]["body"])
        assert result["requestId"] == request_id, (name, request_id, result["requestId"])
        assert result["status"] == "SUCCESS", (name, result)
        return deliveries[-1]["body"], result["response"]

    def credentials(self):
        basic, oauth = self.told["basic"], self.told["oauth"]
        pair = f"{basic['username']}:{basic['password']}".encode()
        status, _, text = self.ask("/auth/1/session", dict(basic), credential="nobody")
        assert status == 200, (status, text)
        session = f"IBSSO {json.loads(text)['token']}"
        form = urllib.parse.urlencode({**oauth, "grant_type": "client_credentials"}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        path = "/auth/1/oauth2/token"
        status, _, text = self.ask(path, form, credential="nobody", **kind)
        assert status == 200, (status, text)
        token = json.loads(text)
        assert token["expires_in"] > 0 and token["token_type"].lower() == "bearer", token
        credentials = {
            "key": self.key,
            "basic": f"Basic {base64.b64encode(pair).decode()}",
            "session": session,
            "oauth": f"Bearer {token['access_token']}",
        }
        for name, credential in credentials.items():
            request_id = self.submit(self.question(name), credential)
            _, response = self.delivered(name, request_id)
            assert response["totalRows"] == len(response["rows"]) > 0, (name, response)
        status, _, text = self.ask("/auth/1/session", verb="DELETE", credential=session)
        assert status in (200, 204), (status, text)
        self.is_refused(401, self.question("ended"), session)
        return ", ".join(credentials)

    def is_refused(self, status, body, credential):
        told, _, text = self.ask(QUERY, body, credential=credential)
        assert told == status, (told, text)
        error = json.loads(text)
        assert set(error) == ERROR and error["errorCode"] == f"E{status}", error
        return error

    def refusals(self):
        body = self.question("refused")
        for credential in ("nobody", "App 0123", "Bearer 0123", "Basic eDp5", "IBSSO 0123"):
            self.is_refused(401, body, credential)
        self.is_refused(403, body, f"App {self.told['api_key_without_scope']}")
        error = self.is_refused(400, body | {"callbackUrl": "http://10.0.0.5/"}, self.key)
        assert [one["property"] for one in error["violations"]] == ["callbackUrl"], error
        xml_too = {"Accept": "application/xml", "Content-Type": "application/json"}
        status, headers, text = self.ask(QUERY, b"{}", **xml_too)
        assert (status, headers.get_content_type()) == (400, "application/xml"), (status, text)
        root = xml.etree.ElementTree.fromstring(text)
        assert root.tag == "ApiError" and root.findtext("errorCode") == "E400", text
        assert not self.receiver.received["/refused"], "what is refused is not answered"

    def accounts(self):
        """The company lists all, a sub-account itself alone; no rows are of another."""
        seen = {}
        for who in ("api_key", "sub_account_api_key"):
            credential = f"App {self.told[who]}"
            status, _, text = self.ask("/settings/1/accounts", credential=credential)
            assert status == 200, (status, text)
            seen[who] = json.loads(text)["accounts"]
            request_id = self.submit(self.question(f"of-{who}"), credential)
            _, response = self.delivered(f"of-{who}", request_id, 1, credential)
            found = set(cells(response, "ACCOUNT_KEY"))
            assert found and found <= {one["key"] for one in seen[who]}, (who, found, seen[who])
        every, own = seen.values()
        known = [{name: one.get(name) for name in ("key", "ownerKey", "name")} for one in every]
        assert sorted(known, key=str) == sorted(self.told["accounts"], key=str), known
        assert len(own) == 1 and own[0] in every, (own, every)
        return f"{len(every)} accounts"

    def secret(self, credential=None):
        status, _, text = self.ask("/billing/1/usage/callback-secret", credential=credential)
        assert status == 200, (status, text)
        secrets = [word for word in json.loads(text).values() if str(word).startswith("whsec_")]
        assert len(secrets) == 1, text
        return secrets[0]

    def is_signed(self, deliveries, expected=True, credential=None):
        secret = self.secret(credential)
        for name, problems in verified([one | {"secret": secret} for one in deliveries]).items():
            signed = [problem is None for problem in problems]
            assert signed == [expected] * len(deliveries), (name, problems)

    def attempts(self):
        """The receiver fails at first; what it did not take comes again as it was."""
        request_id = self.submit(self.question("fails", 500, 200))
        text, _ = self.delivered("fails", request_id, 2)
        deliveries = self.receiver.wait("fails", 2)
        ids = {one["headers"]["webhook-id"] for one in deliveries}
        assert len(ids) == 1 and {one["body"] for one in deliveries} == {text}, ids
        kinds = {one["headers"]["content-type"].split(";")[0] for one in deliveries}
        assert kinds == {"application/json"}, kinds
        # A verifier that takes anything would say nothing of the deliveries.
        body, headers = deliveries[0]["body"], deliveries[0]["headers"]
        changed = body.replace(b"SUCCESS", b"SUCCESs", 1)
        another = headers | {"webhook-id": headers["webhook-id"] + "0"}
        later = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}
        first = deliveries[0]
        others = [first | {"body": changed}, first | {"headers": another}]
        self.is_signed([*others, first | {"headers": later}], expected=False)
        log = self.log(request_id, 2)
        assert [one.get("httpStatus") for one in log["attempts"]] == [500, 200], log
        assert {log["callback"]["id"]} == ids, (log, ids)
        return f"{len(text)} bytes"

    def log(self, request_id, count):
        """The delivery log, once its callback was delivered at the try of this number."""
        for _ in range(600):
            status, _, text = self.ask(f"{QUERY}/{request_id}/attempts")
            assert status == 200, (status, text)
            log = json.loads(text)
            if log["callback"]["status"] == "DELIVERED" and len(log["attempts"]) == count:
                return log
            time.sleep(0.1)
        raise AssertionError(f"not delivered at try {count}: {log}")

    def sent_again(self):
        """What was delivered is sent once more where its owner asks for it."""
        request_id = self.submit(self.question("again"))
        first, _ = self.delivered("again", request_id)
        self.log(request_id, 1)
        status, _, text = self.ask(f"{QUERY}/{request_id}/resend", verb="POST")
        assert status == 202, (status, text)
        second, _ = self.delivered("again", request_id, 2)
        ids = {one["headers"]["webhook-id"] for one in self.receiver.wait("again", 2)}
        assert second == first and len(ids) == 1, ids

    def results(self):
        """What was sent is what is read; a table of it has the same cells."""
        bodies = {}
        for form in ("json", "csv"):
            body = self.question(form)
            body["request"]["options"]["reckoner"] = {"format": form}
            request_id = self.submit(body)
            bodies[form], response = self.delivered(form, request_id)
            status, headers, text = self.ask(f"{QUERY}/{request_id}/result")
            assert status == 200, (status, text)
            if form == "json":
                assert text == bodies[form], "the bytes that were sent"
                continue
            assert headers.get_content_type() == "text/csv", headers
            lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
            names = [column["columnName"] for column in response["columns"]]
            dimensions = names[: -len(MEASURES)]
            assert names == dimensions + MEASURES, names
            head = [name.lower() for name in dimensions] + IN_TABLES
            rows = [[as_cell(*pair) for pair in zip(names, row)] for row in response["rows"]]
            assert lines == [head, *rows], (lines[:3], head, rows[:2])
        return f"{response['totalRows']} rows"

    def newman(self, collection):
        """The one answer that newman notes of a collection."""
        report = self.place / "newman.json"
        words = [node(), NEWMAN, "run", collection, "--suppress-exit-code"]
        words += ["--env-var", f"baseUrl={self.base}", "--env-var", f"apiKey={self.key}"]
        words += ["--ssl-extra-ca-certs", self.context["ca_file"]]
        words += ["--reporters", "json", "--reporter-json-export", report]
        # It keeps notes in its home.
        environment = os.environ | {"HOME": str(self.place), "NODE_OPTIONS": ""}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
        assert report.exists(), done.stdout + done.stderr
        [execution] = json.loads(report.read_text())["run"]["executions"]
        assert "response" in execution, execution
        answer = execution["response"]
        return answer["code"], json.loads(bytes(answer["stream"]["data"]))

    def newman_as_it_stands(self):
        status, error = self.newman(COLLECTION)
        assert status == 400 and set(error) == ERROR, (status, error)
        named = {one["property"] for one in error["violations"]}
        assert WRONG <= named, WRONG - named
        return f"{len(error['violations'])} violations"

    def newman_for_real(self):
        """As its user would: the body is replaced, nothing else."""
        collection = json.loads(COLLECTION.read_text())
        request = only_request(collection)
        request["body"]["raw"] = json.dumps(self.question("newman"))
        changed = self.place / "collection.json"
        changed.write_text(json.dumps(collection))
        status, answer = self.newman(changed)
        assert status == 201 and list(answer) == ["requestId"], (status, answer)
        _, response = self.delivered("newman", answer["requestId"])
        return f"{response['totalRows']} rows"

    def generated(self):
        """Questions, refusals and results by the models that the generator made."""
        categories = self.question("filtered", filter_by={"categories": ["SMS", "EMAIL"]})
        wrong = self.question("wrong")
        wrong["request"]["filterBy"]["dateInterval"]["sentUntil"] = "1999-01-01"
        none = f"App {self.told['api_key_without_scope']}"
        asks = [
            ("published", self.key, self.question("generated"), 201),
            ("corrected", self.key, categories, 201),
            ("published", self.key, wrong, 400),
            ("published", "App 0123", wrong, 401),
            ("published", none, self.question("unseen"), 403),
        ]
        given = [dict(zip(("client", "authorization", "body"), one)) for one in asks]
        answers = generated(self.place, self.context_file, given, [])["asks"]
        for (_, _, _, status), answer in zip(asks, answers, strict=True):
            model = "QueryAggregateDataResponse" if status == 201 else "ApiError"
            assert (answer["status"], answer["model"]) == (status, model), answer
            assert status == 201 or answer["value"]["errorCode"] == f"E{status}", answer
        ids = [answer["value"]["requestId"] for answer in answers[:2]]
        names = ("generated", "filtered")
        texts = [self.delivered(name, one)[0] for name, one in zip(names, ids)]
        texts = [text.decode() for text in texts]
        results = generated(self.place, self.context_file, [], texts)["results"]
        for text, result in zip(texts, results, strict=True):
            sent = plain.parse(OFFSET.sub(r"\1Z", text))
            plain.same(sent, result, "result")
            plain.same(result, sent, "result")
        every, some = (cells(result["response"], "CATEGORY_CODE") for result in results)
        assert set(some) == set(every) & {"SMS", "EMAIL"} != set(every), (some, every)
        assert some and len(some) == sum(one in {"SMS", "EMAIL"} for one in every), (some, every)
        return f"{len(every)} and {len(some)} rows"


def cells(response, name):
    """The cells of a column."""
    at = [column["columnName"] for column in response["columns"]].index(name)
    return [row[at] for row in response["rows"]]


def as_cell(name, value):
    """A cell of a result as a table has it; what is not available is empty there."""
    if value == "N/A":
        return ""
    if name == "MONTH":
        return value[: len("yyyy-MM")]
    text = str(value)
    is_formula = isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{text}" if is_formula else text


def only_request(collection):
    """The request of the one operation in a collection, however deep it lies."""
    items = collection["item"]
    while "request" not in items[0]:
        assert len(items) == 1, items
        items = items[0]["item"]
    assert len(items) == 1, [item["name"] for item in items]
    return items[0]["request"]


def verified(deliveries):
    """What each package finds wrong with each delivery; nothing where all is well."""
    lines = "".join(
        json.dumps(one | {"body": base64.b64encode(one["body"]).decode()}) + "\n"
        for one in deliveries
    )
    programs = {
        "PyPI": [PYTHON, HERE / "usage_api_verify.py"],
        "npm": [node(), HERE / "usage_api_verify.mjs", TOOLS / "node"],
    }
    return {name: json.loads(told(words, lines)) for name, words in programs.items()}


def generated(place, context_file, asks, results):
    """What a client that is made of the description asks and reads."""
    folder = place / "generated"
    folder.mkdir(exist_ok=True)
    words = [PYTHON, HERE / "usage_api_python.py", context_file, DESCRIPTION, folder]
    return plain.parse(told(words, json.dumps({"asks": asks, "results": results})))


def told(words, text):
    environment = os.environ | {"NODE_OPTIONS": ""}
    done = subprocess.run(
        words, env=environment, input=text, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def the_demo(tally, place, program):
    with Receiver() as receiver, servers.demo(place, program) as file:
        Usage(tally, place, file, receiver).run()
