"""Asks with a client that openapi-python-client makes of the published description.

Run by .tools/usage. Arguments: the context file, the description, a folder for what is made. As
JSON, `asks` and `results` come in; what the client made of the answers and of the results goes out.

The description as published has the values of `categories` and `subCategories` for lists themselves
and cells of rows for objects, against its own examples: a client made of it can neither filter by
them nor read a row. `corrected` is made of the description without these two slips.
"""

import importlib
import json
import pathlib
import ssl
import subprocess
import sys

CONTEXT = json.loads(pathlib.Path(sys.argv[1]).read_text())
DESCRIPTION, PLACE = (pathlib.Path(word) for word in sys.argv[2:])
# Else it would look for formatters.
OPTIONS = "post_hooks: []\n"


def corrected(described):
    """The description as its examples have it."""
    for name, schema in described["components"]["schemas"].items():
        members = schema.get("properties", {})
        for slip in ("categories", "subCategories"):
            members.get(slip, {}).pop("enum", None)
        if name.endswith(".AggregateDataResponse"):
            members["rows"]["items"]["items"] = {}
    return described


def make(name, described):
    """Generates a client as the package `name`."""
    document, options = PLACE / f"{name}.json", PLACE / "options.yaml"
    document.write_text(json.dumps(described))
    options.write_text(OPTIONS)
    words = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    words += ["--path", document, "--output-path", PLACE / name, "--config", options]
    # Whatever it warns of is a part that it would leave out.
    words += ["--overwrite", "--fail-on-warning"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return importlib.import_module(name)


def connected(client, authorization):
    prefix, token = authorization.split(" ", 1)
    trust = ssl.create_default_context(cafile=CONTEXT["ca_file"])
    words = {"token": token, "prefix": prefix, "verify_ssl": trust, "timeout": 60}
    base_url = CONTEXT["usage_api"]["base_url"]
    return client.AuthenticatedClient(base_url=base_url, raise_on_unexpected_status=True, **words)


def answer(clients, asked):
    client = clients[asked["client"]]
    call = importlib.import_module(f"{client.__name__}.api.platform.query_billing_usage")
    models = importlib.import_module(f"{client.__name__}.models")
    body = models.QueryBillingUsageRequest.from_dict(asked["body"])
    with connected(client, asked["authorization"]) as connection:
        found = call.sync_detailed(client=connection, body=body)
    kind = type(found.parsed).__name__
    return {"status": int(found.status_code), "model": kind, "value": found.parsed.to_dict()}


def main():
    given = json.load(sys.stdin)
    sys.path.insert(0, str(PLACE))
    published = DESCRIPTION.read_text()
    clients = {
        "published": make("published", json.loads(published)),
        "corrected": make("corrected", corrected(json.loads(published))),
    }
    result = importlib.import_module("corrected.models").BillingUsageResult
    answers = {
        "asks": [answer(clients, asked) for asked in given["asks"]],
        "results": [result.from_dict(json.loads(text)).to_dict() for text in given["results"]],
    }
    print(json.dumps(answers))


main()
