"""Starts the program: once on the demo's company, once on real data."""

import contextlib
import hashlib
import json
import os
import pathlib
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA = pathlib.Path(os.environ.get("RECKONER_DATA") or ROOT.parent / "shared/data")
CARD = DATA / "azure-commerce/ratecard-MS-AZR-0062P-USD-en-US.json"
USAGE = DATA / "azure-commerce/usage-aggregates-201504-201505.json"

# The company that the real card and the real usage belong to; the names are ours.
TENANT = "6f0c2a4e-0000-4000-8000-000000000062"
CLIENT = "9d1f0a00-0000-4000-8000-000000000062"
SECRET = "only-for-a-server-on-loopback-that-lives-for-a-minute"
COMPANY = """
[[tenant]]
id = "{tenant}"

[[billing_account]]
id = "recorded"
name = "Recorded"
currency = "USD"
region = "US"

[[offer]]
id = "MS-AZR-0062P"
name = "The offer of the recorded card"
has_rate_card = true

[[price_list]]
id = "recorded-card"
offer = "MS-AZR-0062P"
region = "US"
locales = ["en-US"]
currency = "USD"
import = {{ format = "azure-rate-card", file = {card} }}

[[subscription]]
id = "{subscription}"
name = "Recorded"
placements = [{{ billing_account = "recorded", offer = "MS-AZR-0062P" }}]

[[source]]
name = "recording"
billing_accounts = ["recorded"]

[[client]]
id = "{client}"
name = "reader"
secret_hashes = ["{secret_hash}"]

[[role_assignment]]
principal = "{client}"
role = "Reader"
scope = {{ subscription = "{subscription}" }}
"""


def build():
    """Builds the program like every other test does, and gives its path."""
    if "RECKONER_PROGRAM" in os.environ:
        return pathlib.Path(os.environ["RECKONER_PROGRAM"])
    # The same selection as the tests': another one would switch on other features and build anew.
    words = ["cargo", "test", "--workspace", "--locked", "--offline", "--quiet", "--no-run"]
    subprocess.run(words, cwd=ROOT, check=True)
    words = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    described = subprocess.run(words, cwd=ROOT, check=True, capture_output=True).stdout
    return pathlib.Path(json.loads(described)["target_directory"]) / "debug/reckoner"


def run(program, *words):
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=600)
    said = f"reckoner {words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, said
    return done.stdout


@contextlib.contextmanager
def serving(place, program, *words, **environment):
    """Runs a server until the block ends; gives the path of the context file it wrote."""
    context, log = place / "context.json", place / "log"
    words = [program, *words, "--listen", "127.0.0.1:0", "--context", context]
    with open(log, "wb") as out:
        environment = {**os.environ, **environment}
        process = subprocess.Popen(words, stdout=out, stderr=out, env=environment)
    try:
        until = time.monotonic() + 120
        while not context.exists():
            assert process.poll() is None, f"the server ended:\n{log.read_text()[-4000:]}"
            assert time.monotonic() < until, f"no context file:\n{log.read_text()[-4000:]}"
            time.sleep(0.05)
        yield context
        assert process.poll() is None, f"the server ended:\n{log.read_text()[-4000:]}"
    except OSError:
        assert process.poll() is None, f"the server ended:\n{log.read_text()[-4000:]}"
        raise
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def demo(place, program, **environment):
    words = ["demo", "--data", place / "data"]
    with serving(place, program, *words, **environment) as context:
        yield context


@contextlib.contextmanager
def recorded(place, program):
    """The real card and the real usage, applied and imported into a directory of their own."""
    rows = json.loads(USAGE.read_text())["value"]
    subscription = rows[0]["properties"]["subscriptionId"]
    company, data = place / "company", place / "data"
    company.mkdir()
    text = COMPANY.format(
        tenant=TENANT,
        client=CLIENT,
        subscription=subscription,
        card=json.dumps(str(CARD)),
        secret_hash=hashlib.sha256(SECRET.encode()).hexdigest(),
    )
    (company / "recorded.toml").write_text(text)
    run(program, "apply", "--data", data, "--yes", company)
    about = ["--source", "recording", "--billing-account", "recorded"]
    run(program, "import", "--data", data, "--yes", *about, USAGE)
    with serving(place, program, "serve", "--data", data) as found:
        context = json.loads(found.read_text())
        context["tenant_id"] = TENANT
        context["subscriptions"] = {"own": subscription}
        context["offer"] = {"id": "MS-AZR-0062P", "currency": "USD"}
        context["offer"] |= {"locale": "en-US", "region": "US"}
        context["usage_window"] = {"from": "2015-04-01T00:00:00Z", "to": "2015-06-01T00:00:00Z"}
        reader = {"client_id": CLIENT, "client_secret": SECRET}
        context["clients"] = {"reader": reader | {"token": token(context, reader)}}
        found.write_text(json.dumps(context))
        yield found


def token(context, client):
    """Asks the token endpoint as any OAuth client would."""
    form = {"grant_type": "client_credentials", "scope": context["base_url"] + "/.default"}
    form |= {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    url = f"{context['base_url']}/{context['tenant_id']}/oauth2/v2.0/token"
    tls = ssl.create_default_context(cafile=context["ca_file"])
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, body, context=tls, timeout=60) as answer:
        return json.loads(answer.read())["access_token"]
