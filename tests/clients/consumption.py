"""What is asked of Azure Consumption, by its scenarios, and what a plain client is answered."""

import json
import re
import tomllib
import urllib.parse

import plain
import servers

FIRST, SECOND = VERSIONS = ("2019-10-01", "2021-10-01")
SCENARIOS = servers.ROOT / "tests/azure-consumption/scenarios"
SERVED = servers.ROOT / "surfaces/azure-consumption/operations.txt"
# What an operation wants in its address, in the order in which clients take it.
WANTED = {
    "Events_ListByBillingProfile": ["startDate", "endDate"],
    "ReservationRecommendationDetails_Get": [
        "scope", "region", "term", "lookBackPeriod", "product"
    ],
    "ReservationsDetails_ListByReservationOrder": ["$filter"],
    "ReservationsDetails_ListByReservationOrderAndReservation": ["$filter"],
    "ReservationsSummaries_List": ["grain"],
    "ReservationsSummaries_ListByReservationOrder": ["grain"],
    "ReservationsSummaries_ListByReservationOrderAndReservation": ["grain"],
}


def served(version=SECOND):
    """Each operation with its verb and its path."""
    rows = (line.split() for line in SERVED.read_text().splitlines())
    return {id: (verb, path) for of, verb, path, id in rows if of == version}


def files():
    """What each file of scenarios says."""
    return [tomllib.loads(file.read_text()) for file in sorted(SCENARIOS.glob("*.toml"))]


def filled(context, account, text):
    """A text with what stands for `<…>`."""

    def known(symbol):
        path = symbol[1].split(".")
        place = context["accounts"][account] if account and len(path) == 1 else context
        for step in path:
            place = place[step]
        return place

    return re.sub(r"<([^>]+)>", known, text)


def names(template, path):
    """The names of an address by the parameters of its operation, in their order."""
    pattern = re.escape(template).replace(r"\{scope\}", "(?P<scope>.+)")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    return re.fullmatch(pattern, path).groupdict()


def asks(context, version=SECOND):
    """What the scenarios of a version ask."""
    operations, found = served(version), []
    for one in (one for file in files() for one in file["scenario"]):
        if version not in one["versions"]:
            continue
        verb, template = operations[one["operation"]]
        account = one.get("account")
        path = filled(context, account, one["path"])
        query = one.get("query", {}).items()
        query = {name: filled(context, account, value) for name, value in query}
        body = json.loads(one["body"]) if "body" in one else None
        found.append({
            "operation": one["operation"],
            "verb": verb,
            "path": path,
            "names": names(template, path),
            "query": query,
            "body": body,
            "who": one.get("as", "owner"),
            "wanted": WANTED.get(one["operation"], []),
            "answers": one["answers"],
        })
    return found


def is_refused(asked):
    return min(asked["answers"]) >= 400


class Plain:
    """A client that knows nothing but addresses and JSON; what it is answered is kept for `oav`."""

    def __init__(self, context, traffic=None, version=SECOND):
        self.context, self.reader = context, plain.Reader(context)
        self.traffic, self.version = traffic, version

    def call(self, asked, url):
        answer = self.reader.call(asked["who"], asked["verb"], url, asked["body"])
        if self.traffic:
            self.traffic.note(asked["verb"], url, asked["body"], *answer)
        return answer

    def answer(self, asked):
        """Status and answer: the whole list, the resource, or nothing where there is none."""
        query = urllib.parse.urlencode({"api-version": self.version, **asked["query"]})
        status, _, answer = self.call(asked, f"{self.context['base_url']}{asked['path']}?{query}")
        if status != 200 or not isinstance(answer, dict) or "value" not in answer:
            return status, answer
        rows = answer["value"]
        while answer.get("nextLink"):
            status, _, answer = self.call(asked, answer["nextLink"])
            assert status == 200, (asked, status, answer)
            rows = rows + answer["value"]
        return status, rows

    def read(self, asked):
        status, answer = self.answer(asked)
        assert status in (200, 201, 204), (asked, status, answer)
        return answer
