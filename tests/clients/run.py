"""Drives unmodified clients against the program and compares what they read, field by field.

`run.py` runs the Python and Node.js clients on the demo and on real data, `run.py PART…` some of
that (`PARTS`), `run.py az` runs `az`.
"""

import json
import os
import pathlib
import sys
import tempfile
import traceback

import billing_clients
import consumption_clients
import enterprise
import plain
import servers
import usage_api

VIEWS = [(granularity, details) for granularity in ("Daily", "Hourly") for details in (True, False)]


class Tally:
    """Runs checks one after another, so that one failure hides no other."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, name, rule, *words):
        try:
            said = rule(*words)
        except Exception:
            self.failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}")
        else:
            self.passed += 1
            print(f"ok     {name}" + (f" ({said})" if said else ""))

    def leave_out(self, what):
        print(f"LEFT OUT: {what}")
        self.failed += os.environ.get("CI") == "true"


def rows_are_the_same(expected, read):
    (rows, pages), (read_rows, read_pages) = expected, read
    assert pages == read_pages, f"{read_pages} pages instead of {pages}"
    plain.same(rows, read_rows, "rows")
    return f"{len(rows)} rows on {pages} pages"


def card_is_the_same(expected, read):
    plain.same(expected, read, "card")
    return f"{len(expected['Meters'])} meters"


def python_clients(tally, about, context, expected, card):
    import azure_python

    os.environ["REQUESTS_CA_BUNDLE"] = context["ca_file"]
    for view in VIEWS:
        name = f"{about}: azure-mgmt-commerce, usage {view}"
        read = lambda: rows_are_the_same(expected[view], azure_python.usage(context, *view))
        tally.check(name, read)
    name = f"{about}: azure-mgmt-commerce, rate card"
    tally.check(name, lambda: card_is_the_same(card, azure_python.card(context)))
    name = f"{about}: azure-identity is told of a bad secret"
    tally.check(name, azure_python.refuses_a_bad_secret, context)


def node_clients(tally, about, file, context, expected, card):
    import node_client

    for alias in ("arm-commerce-3", "arm-commerce-2"):
        found = {}
        name = f"{about}: {alias} answers"
        tally.check(name, lambda: found.update(node_client.read(file, context, alias)))
        for view in VIEWS if found else ():
            read = found["usage"][f"{view[0]} {view[1]}"]
            tally.check(f"{about}: {alias}, usage {view}", rows_are_the_same, expected[view], read)
        if found:
            tally.check(f"{about}: {alias}, rate card", card_is_the_same, card, found["card"])


def clients(tally, about, file):
    """Every client against a plain read; gives what the plain read found."""
    context = json.loads(file.read_text())
    reader = plain.Reader(context)
    expected = {view: reader.usage(*view) for view in VIEWS}
    card = reader.card()
    python_clients(tally, about, context, expected, card)
    node_clients(tally, about, file, context, expected, card)
    return expected, card


def the_demo(tally, place, program):
    with servers.demo(place, program) as file:
        expected, _ = clients(tally, "demo", file)

        def has_three_pages():
            assert expected["Daily", True][1] >= 3, "the usage window has at least three pages"

        tally.check("demo: the usage window has three pages", has_three_pages)


def real_data(tally, place, program):
    with servers.recorded(place, program) as file:
        expected, card = clients(tally, "real data", file)
        theirs = plain.parse(servers.USAGE.read_text())["value"]
        rows = lambda: plain.same_rows(expected["Daily", True][0], theirs, "rows", ("id", "name"))
        tally.check("real data: the rows are the file's", rows)
        file_card = plain.parse(servers.CARD.read_text())

        def meters():
            kept, is_rounded = zip(*map(plain.kept, file_card["Meters"]))
            plain.same_rows(card["Meters"], kept, "meters")
            return f"{len(kept)} meters, {sum(is_rounded)} of them rounded to 18 places"

        tally.check("real data: the meters are the card's", meters)

        def frame():
            without = ("Meters", "id", "nextLink")
            assert plain.canonical(card, without) == plain.canonical(file_card, without)

        tally.check("real data: terms, currency and locale are the card's", frame)


def real(tally, place, program):
    if servers.CARD.exists() and servers.USAGE.exists():
        real_data(tally, place, program)
    else:
        tally.leave_out(f"real data ({servers.DATA} is not there; set RECKONER_DATA)")


def az(tally, place, program):
    import az

    az.the_demo(tally, place, program)


# What runs where nothing is named; `az` is asked for alone.
PARTS = {
    "demo": the_demo,
    "billing": billing_clients.the_demo,
    "consumption": consumption_clients.the_demo,
    "enterprise": enterprise.the_demo,
    "usage_api": usage_api.the_demo,
    "real": real,
}


def main():
    tally = Tally()
    program = servers.build()
    with tempfile.TemporaryDirectory() as place:
        for name in sys.argv[1:] or PARTS:
            own = pathlib.Path(place) / name
            own.mkdir()
            tally.check(name, (PARTS | {"az": az})[name], tally, own, program)
    print(f"\nreal clients: {tally.passed} passed, {tally.failed} failed")
    sys.exit(1 if tally.failed else 0)


main()
