"""DuckDB's half of the comparison: the same tiers, the same questions.

`duck.py rating` reads the usage that `rivals rating` left and computes what it costs.
`duck.py questions` asks what `rivals questions` asked, of the same rated rows and of the same
roll-ups, and compares every number of the answers.
`duck.py closing` adds up what `rivals closing` left.
`duck.py usage-queries` groups as `rivals usage-queries` asked, of the same rated rows, and compares
every cell of the results.

Each writes target/bench/duck-PART.json. Times are in microseconds.
"""

import decimal
import json
import os
import pathlib
import sqlite3
import statistics
import sys
import time

import duckdb

BENCH = pathlib.Path(os.environ.get("RECKONER_BENCH_DIR", "target/bench"))
DATA = BENCH / "rating" / "data"
TIMES = max(2, int(os.environ.get("RECKONER_BENCH_TIMES", "9")))
SQL = pathlib.Path(__file__).parent / "duckdb"


def peak_kib():
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def timed(work):
    start = time.perf_counter_ns()
    result = work()
    return (time.perf_counter_ns() - start) // 1000, result


def sql(name, **words):
    return (SQL / f"{name}.sql").read_text().format(**words)


def connect():
    """A database in memory with DuckDB's defaults: all cores, 80 % of the memory."""
    connection = duckdb.connect(config={"temp_directory": str(BENCH / "duck-spill")})
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    return connection, threads


def write(part, found):
    (BENCH / f"duck-{part}.json").write_text(json.dumps(found, indent=2) + "\n")


def rating():
    ours = json.loads((BENCH / "rating.json").read_text())["conditions"]
    connection, threads = connect()
    load_us, _ = timed(lambda: connection.execute(sql("usage", csv=BENCH / "usage.csv")))
    tiers = ours["tiers_from"] + [10**11]
    rows = [
        (meter, tier, tiers[tier], tiers[tier + 1], decimal.Decimal(price) / 10_000)
        for meter, prices in enumerate(ours["prices_e4"])
        for tier, price in enumerate(prices)
    ]
    connection.execute("CREATE TABLE tier (meter INT, tier INT, since DECIMAL(15,3),"
                   " until DECIMAL(15,3), price DECIMAL(9,4))")
    connection.executemany("INSERT INTO tier VALUES (?, ?, ?, ?, ?)", rows)
    loaded_kib = peak_kib()
    total_us, _ = timed(lambda: connection.execute(sql("rate_total")))
    path = BENCH / "duck-rated.parquet"
    write_us, _ = timed(lambda: connection.execute(sql("rate_rows", path=path)))
    total = connection.execute("SELECT sum(cost) FROM total").fetchall()[0][0]
    again = connection.execute(f"SELECT sum(cost) FROM '{path}'").fetchall()[0][0]
    assert total == again, f"{total} is not {again}"
    per_account = connection.execute("SELECT month, account, cost FROM total").fetchall()
    totals = {f"{month} {account}": str(cost) for month, account, cost in per_account}
    (BENCH / "duck-totals.json").write_text(json.dumps(totals))
    write("rating", {
        "version": duckdb.__version__, "threads": threads, "load_us": load_us,
        "totals_us": total_us, "rows_written_us": write_us, "total": str(total),
        "loaded_kib": loaded_kib, "peak_kib": peak_kib(),
    })
    print(f"DuckDB: totals in {total_us // 1000} ms, rows written in {write_us // 1000} ms")


def files(books, table):
    """The files that count, as the books list them, by billing period (202503)."""
    listed = books.execute(
        "SELECT period, path FROM objects WHERE table_name = ? AND retired_at IS NULL", (table,))
    by_period = {}
    for period, path in listed:
        by_period.setdefault(period, []).append(str(DATA / "objects" / path))
    return by_period


def prepare(connection, books):
    """The same values and names behind the codes of the files."""
    connection.execute("CREATE TABLE code (kind TEXT, code INT, value TEXT)")
    connection.executemany(
        "INSERT INTO code VALUES (?, ?, ?)",
        books.execute("SELECT kind, code, value FROM codes").fetchall())
    connection.execute("CREATE TABLE label (kind TEXT, value TEXT, name TEXT)")
    facts = books.execute("SELECT body FROM facts WHERE kind = 'name'").fetchall()
    names = [json.loads(body) for (body,) in facts]
    names = [(name["dimension"], name["value"], name["name"]) for name in names]
    facts = books.execute("SELECT body FROM facts WHERE kind = 'billing_account'").fetchall()
    accounts = [json.loads(body) for (body,) in facts]
    names += [("account", account["id"], account["name"]) for account in accounts]
    connection.executemany("INSERT INTO label VALUES (?, ?, ?)", names)
    for kind in ("account", "meter_category", "country", "campaign"):
        connection.execute(
            f"CREATE TABLE {kind} AS SELECT code, code.value, name FROM code LEFT JOIN label"
            f" USING (kind, value) WHERE kind = '{kind}'")
    for table in ("rated", "rated_day"):
        every = sum(files(books, table).values(), [])
        connection.execute(f"CREATE VIEW {table} AS SELECT *,"
                       " date_trunc('month', DATE '1970-01-01' + day) AS month"
                       f" FROM read_parquet({every})")
    # This roll-up has no day; its month is that of its files.
    months = [
        f"SELECT *, DATE '{period // 100}-{period % 100:02}-01' AS month FROM read_parquet({some})"
        for period, some in files(books, "rated_month").items()
    ]
    connection.execute(f"CREATE VIEW rated_month AS {' UNION ALL '.join(months)}")


def answer(name):
    """Our answer, as keys, labels, records and exact cost."""
    rows = json.loads((BENCH / "answers" / f"{name}.json").read_text())["rows"]
    return [
        (*row["keys"], *row["labels"], row["records"], decimal.Decimal(row["cost"]))
        for row in rows
    ]


def same(name, ours, theirs):
    """Compares whole answers; the order of equals is nobody's."""
    def text(row):
        return tuple(str(cell) if cell is not None else "" for cell in row)
    def normal(rows):
        return sorted(text((*row[:-1], decimal.Decimal(row[-1]).normalize())) for row in rows)
    assert normal(ours) == normal(theirs), f"{name}: the answers differ"


def questions():
    asked = json.loads((BENCH / "questions.json").read_text())["reckoner"]["questions"]
    connection, threads = connect()
    books = open_books(DATA)
    prepare(connection, books)
    found = {"version": duckdb.__version__, "threads": threads, "questions": {}}
    found["rated_rows"] = connection.execute("SELECT count(*) FROM rated").fetchall()[0][0]
    found["day_rows"] = connection.execute("SELECT count(*) FROM rated_day").fetchall()[0][0]
    some = asked["day_category_country"]["question"]["filters"][0]["values"]
    for name, rolled_up in (("month_account", "rated_month"),
                            ("day_category_country", "rated_day"),
                            ("top_campaigns", "rated_day")):
        times = {}
        for table in ("rated", rolled_up):
            question = sql(name, table=table, some=", ".join(f"'{value}'" for value in some))
            question = f"CREATE OR REPLACE TEMP TABLE answer AS {question}"
            times[table] = [timed(lambda: connection.execute(question))[0] for _ in range(TIMES)]
            same(name, answer(name), connection.execute("SELECT * FROM answer").fetchall())
        found["questions"][name] = {
            "groups": len(answer(name)), "rated_us": times["rated"],
            "roll_up": rolled_up, "roll_up_us": times[rolled_up],
        }
        middle = [statistics.median(times[table][1:]) / 1000 for table in ("rated", rolled_up)]
        print(f"DuckDB: {name}: {middle[0]:.1f} ms on rated rows, {middle[1]:.1f} on {rolled_up}")
    totals = json.loads((BENCH / "duck-totals.json").read_text())
    ours = {
        f"{int(month[5:])} {int(account[8:])}": cost
        for month, account, _, _, _, cost in answer("month_account")
    }
    theirs = {key: decimal.Decimal(cost) for key, cost in totals.items()}
    assert ours == theirs, "our rating and DuckDB's give different totals"
    found["peak_kib"] = peak_kib()
    write("questions", found)


def open_books(data):
    """The books compare text by its bytes."""
    books = sqlite3.connect(f"file:{data / 'books.db'}?mode=ro", uri=True)
    books.create_collation("C", lambda a, b: (a > b) - (a < b))
    return books


def prepare_usage(connection):
    """The rated rows of the company, and what stands behind their codes."""
    data = BENCH / "usage-queries" / "data"
    books = open_books(data)
    codes = books.execute("SELECT kind, code, value FROM codes").fetchall()
    connection.execute("CREATE TABLE code (kind TEXT, code INT, value TEXT)")
    connection.executemany("INSERT INTO code VALUES (?, ?, ?)", codes)
    for kind in ("meter_category", "country", "campaign", "measure", "currency"):
        connection.execute(
            f"CREATE TABLE {kind} AS SELECT code, value FROM code WHERE kind = '{kind}'")
    # Each subscription stands at the account of its number.
    places = [(code, f"account-{int(value[-12:]):04}")
              for kind, code, value in codes if kind == "subscription"]
    connection.execute("CREATE TABLE place (code INT, account TEXT)")
    connection.executemany("INSERT INTO place VALUES (?, ?)", places)
    paths = [str(data / "objects" / path) for (path,) in books.execute(
        "SELECT path FROM objects WHERE table_name = 'rated' AND retired_at IS NULL")]
    connection.execute("CREATE VIEW rated AS SELECT *,"
                       " date_trunc('month', DATE '1970-01-01' + day) AS month"
                       f" FROM read_parquet({paths})")


def exactly(rows):
    """Rows in order, numbers by their value."""
    def text(cell):
        number = isinstance(cell, (int, float, decimal.Decimal))
        return format(decimal.Decimal(cell).normalize(), "f") if number else str(cell)
    return sorted(tuple(map(text, row)) for row in rows)


def usage_queries():
    asked = json.loads((BENCH / "usage-queries.json").read_text())["reckoner"]["questions"]
    connection, threads = connect()
    prepare_usage(connection)
    found = {"version": duckdb.__version__, "threads": threads, "questions": {}}
    found["rated_rows"] = connection.execute("SELECT count(*) FROM rated").fetchall()[0][0]
    some = ", ".join(f"'account-{number * 100 + 7:04}'" for number in range(20))
    for name in asked:
        question = sql(f"usage_{name}", some=some)
        question = f"CREATE OR REPLACE TEMP TABLE answer AS {question}"
        times_us = [timed(lambda: connection.execute(question))[0] for _ in range(TIMES)]
        theirs = connection.execute("SELECT * FROM answer").fetchall()
        text = (BENCH / "answers" / f"usage-{name}.json").read_text()
        ours = json.loads(text, parse_float=decimal.Decimal)["response"]["rows"]
        assert exactly(ours) == exactly(theirs), f"{name}: the answers differ"
        found["questions"][name] = {"rows": len(theirs), "times_us": times_us}
        middle_ms = statistics.median(times_us[1:]) / 1000
        print(f"DuckDB: usage by {name}: {middle_ms:.1f} ms on rated rows")
    found["peak_kib"] = peak_kib()
    write("usage-queries", found)


def closing():
    ours = json.loads((BENCH / "closing.json").read_text())["reckoner"]
    connection, threads = connect()
    data = BENCH / "closing" / "data"
    books = open_books(data)
    paths = [str(data / "objects" / path) for (path,) in books.execute(
        "SELECT path FROM objects WHERE table_name = 'rated' AND retired_at IS NULL"
        " AND period = (SELECT min(period) FROM objects WHERE table_name = 'rated')")]
    question = f"CREATE OR REPLACE TEMP TABLE sums AS {sql('close_sums', paths=paths)}"
    times = [timed(lambda: connection.execute(question))[0] for _ in range(TIMES)]
    total, groups = connection.execute("SELECT sum(cost), count(*) FROM sums").fetchall()[0]
    told = sum(decimal.Decimal(row["cost"]) for row in ours["total"])
    assert total == told, f"DuckDB adds up {total}, we add up {told}"
    write("closing", {
        "version": duckdb.__version__, "threads": threads, "sums_us": times, "groups": groups,
        "peak_kib": peak_kib(),
    })
    print(f"DuckDB: sums of {groups} lines in {statistics.median(times[1:]) // 1000} ms")


PARTS = {"rating": rating, "questions": questions, "closing": closing}
PARTS |= {"usage-queries": usage_queries}
PARTS[sys.argv[1]]()
