"""Takes cents of the demo's invoices at random and has each explained down to its records.

Over HTTPS, on one connection that stays open; the time is that of the whole answer. Every answer must
name the row that the cent lies in, and the record of usage where the row has one. Writes
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

BENCH = pathlib.Path(os.environ.get("RECKONER_BENCH_DIR", "target/bench"))
PROGRAM = os.environ.get("RECKONER_BENCH_PROGRAM", "target/release/reckoner")
SEED = int(os.environ.get("RECKONER_BENCH_SEED", "1"))
CENTS = int(os.environ.get("RECKONER_BENCH_CENTS", "500"))
KINDS = ("mca", "ea", "mpa", "mosp")


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


def cents_of(reader, context):
    """Each positive line with how many cents it has."""
    for kind in KINDS:
        account = context["accounts"][kind]["billing_account"]
        for short in reader.get("/invoices", billing_account=account)["invoices"]:
            if short["kind"] != "invoice":
                continue
            for line in reader.get(f"/invoices/{short['number']}")["lines"]:
                cents = round(float(line["booked"]) * 100)
                if cents > 0:
                    yield (short["number"], line["number"]), cents


def measure(context):
    reader, draw = Reader(context), random.Random(SEED)
    lines = dict(cents_of(reader, context))
    times, records = [], 0
    for number, line in draw.choices(list(lines), weights=lines.values(), k=CENTS):
        cent = draw.randrange(lines[number, line]) + 1
        start = time.perf_counter_ns()
        told = reader.get("/explain/line", invoice=number, line=line, cent=cent)
        times.append((time.perf_counter_ns() - start) // 1000)
        behind = told.get("usage") or told.get("correction", {}).get("from_scratch") or {}
        records += sum(1 for row in behind.get("rows", ()) if row["record"])
    return {"lines": len(lines), "records": records, "times_us": times}


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
    times = sorted(found["times_us"])
    print(f"{CENTS} cents of {found['lines']} lines: median {times[len(times) // 2] / 1000:.1f} ms,"
          f" p99 {times[len(times) * 99 // 100] / 1000:.1f} ms, slowest {times[-1] / 1000:.1f} ms")


main()
