"""Within a network namespace: asks the program to call hostile addresses, and counts the packets.

Run by `usage_api_private.py`. Argument: what is asked as JSON, or `probe`, which tells whether all
that is needed can be had here.
"""

import datetime
import http.client
import json
import os
import pathlib
import random
import socket
import ssl
import sys
import tempfile
import urllib.parse

import servers
import usage_api_hostile as hostile
from usage_api_network import TESTER, Counter, Names, Receivers, make

COMPANY = """
[[tenant]]
id = "6f0c2a4e-0000-4000-8000-000000000007"

[[billing_account]]
id = "post"
name = "Post Office"
currency = "EUR"
region = "DE"

[[agreement]]
billing_account = "post"
from = 2020-01-01T00:00:00Z
type = "messaging agreement"

[[messaging_account]]
billing_account = "post"
id = "letters"
from = 2020-01-01T00:00:00Z
name = "Letters"
"""
# Plain http may go wherever https may: most of these would never come to a connection else.
CONFIG = """
[limits]
requests_per_second = 1000000
request_burst = 1000000
usage_queries = 1000000
usage_results = 1000000

[callbacks]
allow_http = true
allowed_ranges = {ranges}
pauses_seconds = [0, 1, 1, 1]
timeout_seconds = 5
"""
PROXY = "http://10.9.9.9:3128"
PROXIES = {
    spelled: PROXY
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    for spelled in (name, name.lower())
} | {"NO_PROXY": "", "no_proxy": ""}
ALLOWED = "10.0.0.5"
# How long what was asked for may take to happen.
PATIENCE_S = 1_800


class Asker:
    """Asks for usage queries over one connection, from an address whose packets do not count."""

    def __init__(self, context, key):
        url = urllib.parse.urlsplit(context["base_url"])
        trust = ssl.create_default_context(cafile=context["ca_file"])
        self.connection = http.client.HTTPSConnection(
            url.hostname, url.port, timeout=60, context=trust, source_address=(TESTER, 0)
        )
        self.headers = {"Authorization": f"App {key}", "Content-Type": "application/json"}
        today = datetime.date.fromisoformat(context["now"][:10])
        self.interval = {
            "sentSince": today.replace(day=1).isoformat(),
            "sentUntil": (today + datetime.timedelta(days=1)).isoformat(),
        }

    def is_taken(self, url):
        """Whether a result will be sent there; if not, the address must be what is wrong."""
        request = {"filterBy": {"dateInterval": self.interval}, "aggregateBy": ["MONTH"]}
        body = json.dumps({"callbackUrl": url, "request": request})
        self.connection.request("POST", "/billing/1/usage/query", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status == 201:
            return True
        assert answer.status == 400, (url, answer.status, text)
        wrong = [one["property"] for one in json.loads(text)["violations"]]
        assert wrong == ["callbackUrl"], (url, text)
        return False


class Place:
    """An installation, and the network around it."""

    def __init__(self, asked):
        self.program, self.place = asked["program"], pathlib.Path(asked["place"])
        self.many, self.draw = asked["many"], random.Random(asked["seed"])
        self.counter, self.names, self.receivers = Counter(), Names(), Receivers()
        data, company = self.place / "data", self.place / "company"
        company.mkdir()
        (company / "post.toml").write_text(COMPANY)
        servers.run(self.program, "apply", "--data", data, "--yes", company)
        words = ["--principal", "asker", "--billing-account", "post", "--action", "charges:read"]
        self.key = servers.run(self.program, "key", "--data", data, *words).strip()

    def serving(self, ranges):
        config = self.place / "reckoner.toml"
        config.write_text(CONFIG.format(ranges=json.dumps(ranges)))
        (self.place / "context.json").unlink(missing_ok=True)
        words = ["serve", "--data", self.place / "data", "--config", config]
        return servers.serving(self.place, self.program, *words, **PROXIES)

    def strictly(self):
        """Asks for everything that is hostile; gives how much that was."""
        with self.serving([]) as file:
            asker = Asker(json.loads(file.read_text()), self.key)
            # What may be called is called: else no packet would say nothing.
            self.is_called(asker, f"http://{hostile.SOMEBODY}", "/200/X-Said/first")
            literals = [(what, url, asker.is_taken(url)) for what, url in self.literals()]
            wrong = [one[:2] for one in literals if one[2]]
            assert not wrong, f"{len(wrong)} were not refused, such as {wrong[:5]}"
            taken = [what for what, url in hostile.tricks(self.draw) if asker.is_taken(url)]
            leads = [self.lead(asker, number, lead) for number, lead in self.leads()]
            names = [self.name(asker, *name) for name in hostile.names(self.draw, self.some())]
            for path in leads:
                self.receivers.wait(path, PATIENCE_S)
            for name, questions in names:
                self.names.wait(name, questions, PATIENCE_S)
            self.is_called(asker, f"http://{hostile.SOMEBODY}", "/200/X-Said/last")
        return len(literals), len(taken), len(leads), len(names)

    def some(self):
        """Of what takes seconds there are fewer."""
        return max(self.many // 6, 40)

    def literals(self):
        return hostile.literals(self.draw, self.many)

    def leads(self):
        return enumerate(hostile.leads(self.draw, self.some()))

    def is_called(self, asker, base, path):
        assert asker.is_taken(base + path), base
        self.receivers.wait(path, PATIENCE_S)

    def lead(self, asker, number, lead):
        """Has a receiver called that leads on; gives its path."""
        _, status, header, value = lead
        path = f"/{status}/{header}/{urllib.parse.quote(value, safe='')}"
        assert asker.is_taken(f"http://{hostile.somebody(number)}{path}"), lead
        return path

    def name(self, asker, what, name, answers):
        """Has a name called; gives how many questions it takes until it leads there."""
        self.names.answers[name] = answers
        scheme = self.draw.choice(["http", "http", "https"])
        assert asker.is_taken(f"{scheme}://{name}/{name}"), what
        somebody = str(hostile.PUBLIC).rsplit(".", 1)[0]
        hidden = [any(not one.startswith(somebody) for one in turn) for turn in answers]
        return name, hidden.index(True) + 1

    def allowed(self):
        """Where the operator allows a range, it is called, by number and by name."""
        with self.serving([f"{ALLOWED}/32"]) as file:
            asker = Asker(json.loads(file.read_text()), self.key)
            self.is_called(asker, f"http://{ALLOWED}", "/200/X-Said/allowed")
            self.names.answers["allowed.hooks.example"] = [[ALLOWED]]
            self.is_called(asker, "http://allowed.hooks.example", "/200/X-Said/named")
            assert not asker.is_taken("http://10.0.0.6/"), "what is beside the range is not called"


def counts(counter):
    """Whether the kernel counts: a connection to an address that is nobody's is seen."""
    before = counter.counted()
    with socket.create_server((ALLOWED, 9)), socket.create_connection((ALLOWED, 9), 5):
        pass
    assert counter.counted() > before and counter.seen() == [ALLOWED], "a packet was not counted"


def main(asked):
    place = Place(asked)
    counts(place.counter)
    before = place.counter.counted()
    refused, taken, leads, names = place.strictly()
    packets, seen = place.counter.counted() - before, place.counter.seen()
    assert packets == 0, f"{packets} packets went to {seen[:20]}"
    somebody = str(hostile.PUBLIC).rsplit(".", 1)[0]
    called = {address for address, _ in place.receivers.called}
    others = sorted(one for one in called if not one.startswith(somebody))
    assert not others, f"called were {others[:20]}"
    place.allowed()
    packets = place.counter.counted() - before
    assert packets and place.counter.seen() == [ALLOWED], "what is allowed is called, and counted"
    print(
        f"{refused} spellings refused, {taken} that name somebody taken, {leads} receivers that"
        f" lead on, {names} names: 0 packets; {packets} where the operator allows it"
    )


if sys.argv[1] == "probe":
    with tempfile.TemporaryDirectory() as here:
        make(here)
        counts(Counter())
        Names(), Receivers()
        sys.stdout.flush()
        os._exit(0)
else:
    asked = json.loads(sys.argv[1])
    make(asked["place"])
    main(asked)
