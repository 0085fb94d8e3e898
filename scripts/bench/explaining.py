"""Takes cents of the demo's invoices and notes at random and has each explained to its records.

Half of them are of lines, half of other figures: totals, taxes, what lots paid, sections, roundings
and lines of notes, each kind as often as the others, of every account that is invoiced. Over HTTPS,
on one connection that stays open; the time is that of the whole answer. Every answer must name the
row that the cent lies in, if usage is behind it, and the record where the row has one. Writes
target/bench/explaining.json; times are in microseconds.
"""

import http.client
import json
import os
import pathlib
import random
import ssl
import subprocess
import tempfile
import time
import urllib.parse
from collections import Counter

BENCH = pathlib.Path(os.environ.get("RECKONER_BENCH_DIR", "target/bench"))
PROGRAM = os.environ.get("RECKONER_BENCH_PROGRAM", "target/release/reckoner")
SEED = int(os.environ.get("RECKONER_BENCH_SEED", "1"))
CENTS = int(os.environ.get("RECKONER_BENCH_CENTS", "500"))
KINDS = ("total", "tax", "lot", "section", "rounding", "line")


class Reader:
    """The demo's operator."""

    def __init__(self, context):
        url = urllib.parse.urlsplit(context["admin"]["url"])
        trust = ssl.create_default_context(cafile=context["ca_file"])
        self.connection = http.client.HTTPSConnection(url.hostname, url.port, context=trust)
        self.path = url.path
        self.headers = {"Authorization": "Bearer " + context["clients"]["operator"]["token"]}

    def get(self, path, **words):
        query = urllib.parse.urlencode(words)
        self.connection.request("GET", f"{self.path}{path}?{query}", headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path} {words}: {answer.status} {body[:500]}"
        return json.loads(body)


def minor(text):
    return int(text.replace(".", ""))


def figures_of(whole):
    """The figures of an invoice or note with their minor units: what `of` calls them, how many."""
    units, is_note = Counter(), whole["kind"] != "invoice"
    units["total"] = minor(whole["total"])
    for line in whole["lines"]:
        net = minor(line["net"] if is_note else line["left"])
        # The cents of a tax are those of its base.
        units[f"tax={line['tax_category']}"] += net
        for part in line["lots" if is_note else "paid"]:
            units[f"lot={part['lot']}"] += minor(part["amount"])
        if is_note:
            units[f"line={line['number']}"] = net + minor(line["tax"])
    for one in whole.get("sections", ()):
        units[f"section={one['section']}" if one["section"] else "section"] = minor(one["total"])
    return {of: abs(count) for of, count in units.items() if count}


def read_all(reader):
    """Cents of lines, by invoice and line; and of figures, by kind, then document and figure."""
    lines, figures, accounts = {}, {kind: {} for kind in KINDS}, set()
    for short in reader.get("/invoices", limit=10_000)["invoices"]:
        number, whole = short["number"], reader.get(f"/invoices/{short['number']}")
        accounts.add(short["billing_account"])
        for of, cents in figures_of(whole).items():
            figures[of.partition("=")[0]][number, of] = cents
        if whole["kind"] == "invoice":
            # A rounding has no cents: it is asked for as a whole.
            figures["rounding"][number, "rounding"] = 1
            lines |= {(number, line["number"]): abs(minor(line["booked"]))
                      for line in whole["lines"] if minor(line["booked"])}
    return lines, figures, accounts


def records_behind(line):
    """How many records the one row behind a cent has: none for a minimum, or what was declared."""
    if "declared" in line:
        return 0
    parts = [line["usage"]] if "usage" in line else [
        line["correction"]["billed"], line["correction"]["from_scratch"]]
    rows = [row for part in parts for row in part["rows"]]
    assert len(rows) == 1 or (not rows and "rest" in line), line
    return sum(1 for row in rows if row["record"])


def explain_lines(reader, draw, lines):
    times, records = [], 0
    for number, line in draw.choices(list(lines), weights=lines.values(), k=CENTS):
        cent = draw.randrange(lines[number, line]) + 1
        start = time.perf_counter_ns()
        told = reader.get("/explain/line", invoice=number, line=line, cent=cent)
        times.append((time.perf_counter_ns() - start) // 1000)
        records += records_behind(told)
    return {"drawn_from": len(lines), "records": records, "times_us": times}


def explain_figures(reader, draw, figures):
    times, records = [], 0
    for kind in draw.choices(KINDS, k=CENTS):
        units = figures[kind]
        (number, of), = draw.choices(list(units), weights=units.values())
        words = {} if kind == "rounding" else {"cent": draw.randrange(units[number, of]) + 1}
        start = time.perf_counter_ns()
        told = reader.get("/explain/document", document=number, of=of, **words)
        times.append((time.perf_counter_ns() - start) // 1000)
        assert told["of"] == of and (told["parts"] or not words), told
        records += records_behind(told["line"]) if words else 0
    drawn_from = sum(len(units) for units in figures.values())
    return {"drawn_from": drawn_from, "records": records, "times_us": times}


def measure(context):
    reader, draw = Reader(context), random.Random(SEED)
    lines, figures, accounts = read_all(reader)
    declared = reader.get("/company", kind="agreement")["declared"]
    signed = {fact["body"]["billing_account"]: fact["body"]["type"] for fact in declared}
    assert accounts == signed.keys(), f"invoiced are {accounts}, of {signed}"
    assert "messaging agreement" in signed.values(), signed
    assert all(figures.values()), f"no figures of some kind: {figures}"
    return {"accounts": len(accounts), "lines": explain_lines(reader, draw, lines),
            "figures": explain_figures(reader, draw, figures)}


def main():
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place) / "context.json"
        words = [PROGRAM, "demo", "--data", f"{place}/data", "--listen", "127.0.0.1:0",
                 "--context", str(file)]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 120
            while not file.exists():
                assert server.poll() is None and time.monotonic() < until, "the demo did not start"
                time.sleep(0.05)
            found = measure(json.loads(file.read_text()))
        finally:
            server.terminate()
            server.wait(30)
    found |= {"part": "explaining", "conditions": {"seed": SEED, "cents": CENTS}}
    BENCH.mkdir(parents=True, exist_ok=True)
    (BENCH / "explaining.json").write_text(json.dumps(found, indent=2) + "\n")
    for name in ("lines", "figures"):
        times = [time_us / 1000 for time_us in sorted(found[name]["times_us"])]
        print(f"{CENTS} cents of {found[name]['drawn_from']} {name}:"
              f" median {times[len(times) // 2]:.1f} ms,"
              f" p99 {times[len(times) * 99 // 100]:.1f} ms, slowest {times[-1]:.1f} ms")


main()
