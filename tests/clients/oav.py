"""Holds recorded traffic against the published descriptions, by `oav validate-traffic`."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse
from decimal import Decimal

import servers
from consumption import FIRST
from node_client import TOOLS, node

SPECS = pathlib.Path(os.environ.get("RECKONER_SPECS") or servers.ROOT.parent / "shared/specs")
PROVIDER, PART = "Microsoft.Consumption", "microsoft-consumption"
OAV = TOOLS / "node/node_modules/oav/dist/cli.js"
# `oav` knows an operation by the provider of its address, and ends where an address has none behind
# `/providers/`: the description leaves it out here.
NOT_KNOWN = {"2019-10-01": {"AggregatedCost_GetForBillingPeriodByManagementGroup"}}
WITHOUT_PROVIDER = "/Microsoft.Consumption/"
# Where clients of the second version ask for the balance of a billing period: only the description
# of the first has that address.
OF_FIRST = re.compile(r"/billingAccounts/[^/]+/billingPeriods/")
# What a version has not is described nowhere; it ends there, too.
NOT_DESCRIBED = "InvalidResourceType"
# Headers that nobody needs to see again.
SECRET = {"authorization"}


class Traffic:
    """What was asked and answered: a file for each, in a folder for each version."""

    def __init__(self, place):
        self.place, self.count = place, 0

    def note(self, verb, url, body, status, headers, answer):
        parts = urllib.parse.urlsplit(url)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        has_provider = WITHOUT_PROVIDER not in parts.path.replace(f"/providers/{PROVIDER}/", "/")
        is_of_first = OF_FIRST.search(parts.path) and asked.get("api-version") != FIRST
        is_missing = status == 404 and answer["error"]["code"] == NOT_DESCRIBED
        if not has_provider or is_of_first or is_missing:
            return
        request = {"method": verb, "url": url, "headers": {"content-type": "application/json"}}
        request |= {"query": asked} | ({} if body is None else {"body": body})
        kept = {name: value for name, value in headers.items() if name.lower() not in SECRET}
        response = {"statusCode": str(status), "headers": kept}
        response |= {} if answer is None else {"body": answer}
        folder = self.place / asked["api-version"]
        folder.mkdir(parents=True, exist_ok=True)
        self.count += 1
        pair = {"liveRequest": request, "liveResponse": response}
        (folder / f"{self.count:05}.json").write_text(json.dumps(pair, default=number, indent=1))


def number(value):
    """A number as JSON has it."""
    assert isinstance(value, Decimal), value
    return int(value) if value == value.to_integral_value() else float(value)


def described(traffic, version):
    """The description, laid out as `oav` wants it to know provider and version."""
    place = traffic.place.parent / "specification/consumption/resource-manager" / PROVIDER
    place = place / "stable" / version
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(SPECS / PART / version / "consumption.json", place)
    return place


def has_no_finding(traffic, version):
    """Every pair is as described, and every operation that `oav` knows is among them."""
    folder, specification = traffic.place / version, described(traffic, version)
    report = traffic.place.parent / f"oav-{version}.json"
    # It writes logs into its home, and fails at the page that it would draw of its findings.
    words = [node(), OAV, "validate-traffic", folder, specification]
    words += ["--jsonReport", report, "--report=", "--logLevel", "error"]
    environment = os.environ | {"HOME": str(traffic.place.parent), "NODE_OPTIONS": ""}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)
    told = f"{done.stdout[:4000]}{done.stderr[-2000:]}"
    assert report.exists(), told
    found = json.loads(report.read_text())
    rows = [(row["operationId"], row["errorCode"], row["errorMessage"]) for row in found["errors"]]
    findings = sorted(set(rows))
    assert not findings, "\n".join(map(str, findings))
    assert done.returncode == 0, told
    [uncovered] = found["unCoveredOperationsList"]
    missing = set(uncovered["operationIds"]) - NOT_KNOWN.get(version, set())
    assert not missing, f"not among the traffic: {sorted(missing)}"
    pairs = len(list(folder.iterdir()))
    return f"{pairs} pairs, {found['coveredOperations']} of {found['allOperations']} operations"


def run(tally, traffic):
    if not (SPECS / PART).exists():
        tally.leave_out(f"oav ({SPECS / PART} is not there; set RECKONER_SPECS)")
        return
    for version in sorted(folder.name for folder in traffic.place.iterdir()):
        tally.check(f"oav, recorded traffic of {version}", has_no_finding, traffic, version)
