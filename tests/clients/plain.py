"""Reads the server with nothing but the standard library, and compares what clients made of it."""

import datetime
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal, getcontext

# Else arithmetic with numbers of more digits would round them.
getcontext().prec = 100
PRICE = Decimal("1e-18")
VERSION = "2015-06-01-preview"
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$")


def parse(text):
    """Reads JSON with its numbers exact."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def instant(text):
    """A moment; one without an offset is UTC."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)


class Reader:
    """Asks one server, as its context file says; reads its Commerce operations."""

    def __init__(self, context):
        self.context = context
        self.tls = ssl.create_default_context(cafile=context["ca_file"])

    def call(self, who, verb, url, body=None):
        """What one of the context's clients is answered: status, headers, JSON or nothing."""
        token = self.context["clients"][who]["token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, body, headers, method=verb)
        try:
            answer = urllib.request.urlopen(request, context=self.tls, timeout=60)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            assert answer.headers["x-ms-request-id"], "each answer carries x-ms-request-id"
            text = answer.read()
            return answer.status, answer.headers, parse(text) if text else None

    def get(self, url):
        status, _, answer = self.call("reader", "GET", url)
        assert status == 200, (status, answer)
        return answer

    def operation(self, name, **query):
        query = urllib.parse.urlencode({"api-version": VERSION, **query})
        own = self.context["subscriptions"]["own"]
        place = f"/subscriptions/{own}/providers/Microsoft.Commerce"
        return self.get(f"{self.context['base_url']}{place}/{name}?{query}")

    def usage(self, granularity, details):
        """All rows of the usage window, and how many pages they came in."""
        window = self.context["usage_window"]
        page = self.operation(
            "UsageAggregates",
            reportedStartTime=window["from"],
            reportedEndTime=window["to"],
            aggregationGranularity=granularity,
            showDetails=details,
        )
        rows, pages = page["value"], 1
        while page.get("nextLink"):
            page = self.get(page["nextLink"])
            rows, pages = rows + page["value"], pages + 1
        return rows, pages

    def card(self):
        return self.operation("RateCard", **{"$filter": card_filter(self.context)})


def card_filter(context):
    """The rate card's four conditions."""
    offer = context["offer"]
    return (
        f"OfferDurableId eq '{offer['id']}' and Currency eq '{offer['currency']}' "
        f"and Locale eq '{offer['locale']}' and RegionInfo eq '{offer['region']}'"
    )


def same(plain, read, place):
    """Fails unless a client read what the plain answer holds. A client knows some members only."""
    if isinstance(read, dict):
        assert isinstance(plain, dict), (place, plain, read)
        for key, value in read.items():
            same(plain.get(key), value, f"{place}.{key}")
    elif isinstance(read, list):
        assert isinstance(plain, list) and len(plain) == len(read), (place, plain, read)
        for index, (one, other) in enumerate(zip(plain, read)):
            same(one, other, f"{place}[{index}]")
    elif isinstance(read, datetime.datetime):
        read = read if read.tzinfo else read.replace(tzinfo=datetime.timezone.utc)
        assert instant(plain) == read, (place, plain, read)
    elif isinstance(read, datetime.date):
        assert plain == read.isoformat(), (place, plain, read)
    elif isinstance(plain, str) and isinstance(read, str) and DAY.match(plain):
        # Node.js has no days: a client reads their first moment.
        assert read in (plain, f"{plain}T00:00:00.000Z"), (place, plain, read)
    elif isinstance(plain, str) and isinstance(read, str) and INSTANT.match(plain):
        assert instant(plain) == instant(read), (place, plain, read)
    elif isinstance(plain, Decimal):
        assert not isinstance(read, bool) and float(plain) == float(read), (place, plain, read)
    else:
        assert plain == read, (place, plain, read)


def flat(value, of_leaf=lambda leaf: leaf):
    """Members of `properties` beside it, as clients have them; leaves as `of_leaf` makes them."""
    if isinstance(value, list):
        return [flat(one, of_leaf) for one in value]
    if isinstance(value, dict):
        beside = {key: flat(one, of_leaf) for key, one in value.items() if key != "properties"}
        return beside | flat(value["properties"], of_leaf) if "properties" in value else beside
    return of_leaf(value)


def kept(meter):
    """A meter of a card as we keep it, and whether it has a rate that we round.

    Prices have 18 places. What lies beyond must be too little for any client's number type.
    """
    rates = {tier: rate.quantize(PRICE, ROUND_HALF_UP) for tier, rate in meter["MeterRates"].items()}
    assert all(float(rate) == float(rates[t]) for t, rate in meter["MeterRates"].items()), meter
    return {**meter, "MeterRates": rates}, rates != meter["MeterRates"]


def canonical(value, without=()):
    """One text for all spellings of the same JSON; members named in `without` are left out."""

    def plain(value):
        if isinstance(value, dict):
            members = ((k, plain(v)) for k, v in value.items() if v is not None)
            return {k: v for k, v in members if k not in without}
        if isinstance(value, list):
            return [plain(v) for v in value]
        if isinstance(value, Decimal):
            return format(value.normalize() + 0, "f")
        if isinstance(value, str) and INSTANT.match(value):
            return instant(value).astimezone(datetime.timezone.utc).isoformat()
        return value

    return json.dumps(plain(value), sort_keys=True)


def same_rows(ours, theirs, what, without=()):
    """Fails unless two lists hold the same values, each as often, in whatever order."""
    ours = Counter(canonical(row, without) for row in ours)
    theirs = Counter(canonical(row, without) for row in theirs)
    missing, extra = list((theirs - ours).elements()), list((ours - theirs).elements())
    assert not missing and not extra, (
        f"{what}: {len(missing)} missing, {len(extra)} too many; first: "
        f"{missing[:1]} against {extra[:1]}"
    )
