"""Compares what the parts of `make bench` measured: ratios, peak memory, aims.

Reads target/bench/*.json of this run, prints tables and writes target/bench/results.json.
A ratio says how many times as fast we are as the rival; below 1 we are slower.
"""

import json
import os
import pathlib
import platform
import statistics
import subprocess

BENCH = pathlib.Path(os.environ.get("RECKONER_BENCH_DIR", "target/bench"))
# What is aimed at: name, the least ratio, and the goal beyond it where there is one.
INGEST, INGEST_GOAL, LEVEL = 10, 20, 1
EXPLAIN_MS = 50
# How much more memory closing may take for five times the rows.
FLAT = 1.25


def read(part):
    path = BENCH / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else None


def middle_ms(times_us):
    """The middle of the hot runs: the first one reads from the disk."""
    return statistics.median(times_us[1:]) / 1000


def mib(kib):
    return "not seen" if kib is None else f"{kib / 1024:,.0f} MiB"


def conditions():
    def said(*words):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.strip()
    model = [line.split(":", 1)[1].strip()
             for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    memory = pathlib.Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    return {
        "cores": os.cpu_count(),
        "processor": model[0] if model else platform.machine(),
        "memory_kib": int(memory),
        "kernel": platform.release(),
        "load_now": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "commit": said("git", "rev-parse", "--short", "HEAD"),
        "changed_files": len(said("git", "status", "--porcelain").splitlines()),
        "rustc": said("rustc", "--version"),
    }


class Table:
    """Rows of text under a heading."""

    def __init__(self, title, *heads):
        self.title, self.rows = title, [heads]

    def add(self, *cells):
        self.rows.append(tuple(str(cell) for cell in cells))

    def show(self):
        print(f"\n{self.title}")
        widths = [max(len(row[at]) for row in self.rows) for at in range(len(self.rows[0]))]
        for row in self.rows:
            first = row[0].ljust(widths[0])
            rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))
            print("  " + "  ".join([first, *rest]))


def taking_in(found, aims):
    ours, theirs = found["reckoner"], found["postgresql"]
    told = found["conditions"]
    table = Table(
        f"Taking usage in over HTTP: {told['connections']} connections, batches of"
        f" {told['batch']}, random ids, {told['seconds']} s each; PostgreSQL {theirs['version']}"
        f" INSERT … ON CONFLICT ({theirs['settings']})\n  fsync rate {told['syncs_per_s_before']}"
        f" a second before, {told['syncs_per_s_after']} after",
        "rows a second", "reckoner", "PostgreSQL", "ratio", "our p99 ms", "their p99 ms")
    full = f"{told['present']:,} present"
    for name, key in (("0 present", "empty"), (full, "full"),
                      (f"{full}, one connection", "full_over_one")):
        one, other = ours[key], theirs[key]
        ratio = one["rows_per_s"] / max(other["rows_per_s"], 1)
        table.add(name, f"{one['rows_per_s']:,}", f"{other['rows_per_s']:,}", f"{ratio:.1f}",
                  f"{one['batch_p99_us'] / 1000:.1f}", f"{other['batch_p99_us'] / 1000:.1f}")
        if key == "full":
            aims.append((f"taking in, {name}: at least {INGEST} times PostgreSQL", ratio, INGEST))
            aims.append((f"the goal: {INGEST_GOAL} times", ratio, INGEST_GOAL))
    table.add("peak memory", mib(ours["peak_kib"]), mib(theirs["peak_kib"]), "", "", "")
    table.show()
    print(f"  processor time a row: reckoner {ours['server_ns_per_row'] / 1000:.1f} µs, PostgreSQL"
          f" {theirs['server_ns_per_row'] / 1000:.1f} µs, our sender"
          f" {ours['sender_ns_per_row'] / 1000:.1f} µs")


def rating(found, duck, aims):
    ours, told = found["reckoner"], found["conditions"]
    table = Table(
        f"Rating {told['rows']:,} rows, four graduated tiers; DuckDB {duck['version']},"
        f" {duck['threads']} threads\n  ours: sealed usage to rated rows of all columns and two"
        " roll-ups, durable; DuckDB: a table in memory, window and tiers",
        "", "seconds", "rows a second", "our ratio", "peak memory")

    def line(name, spent_us, peak):
        ratio = spent_us / max(ours["rating_us"], 1)
        table.add(name, f"{spent_us / 1e6:.1f}", f"{told['rows'] * 1e6 / spent_us:,.0f}",
                  f"{ratio:.2f}", mib(peak))
        return ratio
    line("reckoner", ours["rating_us"], ours["peak_kib"])
    line("DuckDB, totals of month × account", duck["totals_us"], duck["peak_kib"])
    ratio = line("DuckDB, rows of 9 columns as Parquet", duck["rows_written_us"], duck["peak_kib"])
    aims.append(("rating: no slower than DuckDB writing rows", ratio, LEVEL))
    table.show()
    print(f"  before: taken in at {ours['taken_in_rows_per_s']:,} rows a second"
          f" (peak {mib(ours['taking_in_peak_kib'])}); restart after a kill"
          f" {ours['restart_us'] / 1e6:.1f} s; DuckDB loaded the rows in"
          f" {duck['load_us'] / 1e6:.1f} s (peak {mib(duck['loaded_kib'])})")


def questions(found, duck, aims):
    ours = found["reckoner"]
    table = Table(
        f"Questions over {duck['rated_rows']:,} rated rows ({duck['day_rows']:,} by day); ours"
        " over HTTP with labels as JSON, DuckDB in process\n  middle of"
        f" {found['conditions']['times'] - 1} hot runs, in milliseconds; the answers are equal",
        "", "groups", "reckoner", "first", "DuckDB on rated rows", "ratio", "DuckDB on roll-up",
        "ratio")
    for name, theirs in duck["questions"].items():
        times = ours["questions"][name]["times_us"]
        one = middle_ms(times)
        rated, rolled_up = middle_ms(theirs["rated_us"]), middle_ms(theirs["roll_up_us"])
        table.add(name, f"{theirs['groups']:,}", f"{one:.1f}", f"{times[0] / 1000:.0f}",
                  f"{rated:.1f}", f"{rated / one:.2f}", f"{rolled_up:.1f}",
                  f"{rolled_up / one:.2f}")
        aims.append((f"{name}: no slower than DuckDB on the rated rows", rated / one, LEVEL))
        aims.append((f"{name}: no slower than DuckDB on {theirs['roll_up']}", rolled_up / one,
                     LEVEL))
    table.add("peak memory", "", mib(ours["peak_kib"]), "", mib(duck["peak_kib"]), "", "", "")
    table.show()


def usage_queries(found, duck):
    ours = found["reckoner"]
    table = Table(
        f"Usage queries of one company over {duck['rated_rows']:,} rated rows; ours from the"
        " question over HTTP until the callback's\n  receiver has the whole result as JSON, a"
        " durable job between; DuckDB the same grouping in process; middle of"
        f"\n  {found['conditions']['times'] - 1} hot runs, in milliseconds; the answers are equal",
        "", "rows", "result", "reckoner", "first", "DuckDB", "ratio")
    for name, theirs in duck["questions"].items():
        one = ours["questions"][name]
        hot, other = middle_ms(one["times_us"]), middle_ms(theirs["times_us"])
        table.add(name, f"{theirs['rows']:,}", f"{one['bytes'] / 1024:,.0f} KiB", f"{hot:.1f}",
                  f"{one['times_us'][0] / 1000:.0f}", f"{other:.1f}", f"{other / hot:.2f}")
    table.add("peak memory", "", "", mib(ours["peak_kib"]), "", mib(duck["peak_kib"]), "")
    table.show()
    print(f"  of a server that had {mib(ours['started_kib'])} when it was asked first")


def closing(found, duck, aims):
    ours, told = found["reckoner"], found["conditions"]
    table = Table(
        f"Closing a billing period: {told['rows']:,} rows, {told['accounts']:,} accounts,"
        f" {ours['invoices']:,} invoices; DuckDB {duck['version']} adds up the {duck['groups']:,}"
        " lines and nothing else",
        "", "seconds", "rows a second", "ratio", "peak memory")
    sums_us = statistics.median(duck["sums_us"][1:])
    late = f"the next month, after late usage of {told['late_accounts']:,}"
    for name, key, rows in (("a month of fewer rows", "part", told["part_rows"]),
                            ("the first time", "first", told["rows"]),
                            ("again: nothing is left to do", "again", told["rows"]),
                            (late, "next", told["rows"])):
        one = ours[key]
        table.add(name, f"{one['spent_us'] / 1e6:.1f}",
                  f"{rows * 1e6 / one['spent_us']:,.0f}",
                  f"{sums_us / one['spent_us']:.4f}" if key != "part" else "", mib(one["peak_kib"]))
    table.add("DuckDB, sums alone", f"{sums_us / 1e6:.2f}",
              f"{told['rows'] * 1e6 / sums_us:,.0f}", "", mib(duck["peak_kib"]))
    table.show()
    print(f"  closed periods of accounts that the next month computed again:"
          f" {ours['computed_again']} of {told['accounts']:,}")
    part, whole = ours["part"]["peak_kib"], ours["first"]["peak_kib"]
    if part and whole:
        aims.append((f"closing: at most {FLAT} times the memory for {told['rows']:,} rows that"
                     f" {told['part_rows']:,} take", FLAT * part / whole, 1))


def explaining(found, aims):
    table = Table(
        f"Explaining {found['conditions']['cents']} cents each of lines and of other figures of the"
        f" demo's invoices and notes\n  of {found['accounts']} accounts, down to the records, over"
        " HTTPS",
        "", "there are", "median", "p99", "slowest")
    worst_ms = 0
    for name, told in (("lines", "cents of lines"),
                       ("figures", "totals, taxes, lots, sections, roundings, lines of notes")):
        times = sorted(found[name]["times_us"])
        p99_ms = times[len(times) * 99 // 100] / 1000
        worst_ms = max(worst_ms, p99_ms)
        table.add(told, f"{found[name]['drawn_from']:,}", f"{times[len(times) // 2] / 1000:.1f} ms",
                  f"{p99_ms:.1f} ms", f"{times[-1] / 1000:.1f} ms")
    table.show()
    aims.append((f"a cent explained in under {EXPLAIN_MS} ms at p99, of lines and of figures",
                 EXPLAIN_MS / worst_ms, 1))


def main():
    names = ("taking-in", "rating", "questions", "usage-queries", "closing", "duck-rating",
             "duck-questions", "duck-usage-queries", "duck-closing", "explaining")
    parts = {name: read(name) for name in names}
    where, aims = conditions(), []
    print("\nConditions")
    for name, value in where.items():
        print(f"  {name.replace('_', ' ')}: {value}")
    seeds = {part["conditions"]["seed"] for part in parts.values() if part and "conditions" in part}
    print(f"  seed: {', '.join(str(seed) for seed in sorted(seeds))}")
    if parts["taking-in"]:
        taking_in(parts["taking-in"], aims)
    if parts["rating"] and parts["duck-rating"]:
        rating(parts["rating"], parts["duck-rating"], aims)
    if parts["questions"] and parts["duck-questions"]:
        questions(parts["questions"], parts["duck-questions"], aims)
    if parts["usage-queries"] and parts["duck-usage-queries"]:
        usage_queries(parts["usage-queries"], parts["duck-usage-queries"])
    if parts["closing"] and parts["duck-closing"]:
        closing(parts["closing"], parts["duck-closing"], aims)
    if parts["explaining"]:
        explaining(parts["explaining"], aims)
    print("\nAims")
    for aim, ratio, wanted in aims:
        verdict = "met       " if ratio >= wanted else "FELL SHORT"
        print(f"  {verdict}  {aim} (ratio {ratio:.2f})")
    kept = [{"aim": aim, "ratio": round(ratio, 3), "wanted": wanted, "met": ratio >= wanted}
            for aim, ratio, wanted in aims]
    result = {"conditions": where, "parts": parts, "aims": kept}
    (BENCH / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"\nkept in {BENCH / 'results.json'}")


main()
