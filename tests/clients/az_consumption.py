"""Every `az consumption` command against plain reads, at the version that `az` sends.

`tests/azure-consumption/az.csv` says which operations a command asks for.
"""

import csv
import json
import subprocess
import urllib.parse
from collections import namedtuple

import plain
import servers
from az_client import AZ, Az, answered

TABLE = servers.ROOT / "tests/azure-consumption/az.csv"
Row = namedtuple("Row", "command operation answer")
VERSION = "2023-05-01"
PROVIDER = "providers/Microsoft.Consumption"
DAYS = ["--start-date", "2026-10-01", "--end-date", "2026-10-31"]
SINCE, UNTIL = "2026-10-01T00:00:00Z", "2026-10-31T00:00:00Z"
EVERY_COMMAND = """
import json
from azure.cli.core import MainCommandsLoader, get_default_cli
loaded = MainCommandsLoader(get_default_cli()).load_command_table(["consumption"])
print(json.dumps([name for name in loaded if name.split()[0] == "consumption"]))
"""


def table():
    with open(TABLE, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == list(Row._fields), header
    return [Row(*row) for row in rows]


def by(property, quote):
    """Some days by a property, as `az` asks for them."""
    since, until = (f"{quote}{day}{quote}" for day in (SINCE, UNTIL))
    return f"properties/{property} ge {since} and properties/{property} le {until}"


class Commands:
    """Runs each command, as the owner of the demo and as whoever holds a reservation."""

    def __init__(self, tally, owner, place):
        self.tally, self.owner, self.context = tally, owner, owner.context
        self.holder = Az(self.context, "recipient", place)
        self.reader, self.asked = plain.Reader(self.context), set()
        accounts = self.context["accounts"]
        self.subscription = accounts["mca"]["subscription"]
        self.enrolled = accounts["ea"]["subscription"]
        self.reservation = accounts["recipient"]["reservation"]

    def run(self):
        self.check("every command is in the table", self.commands)
        for of in (self.subscription, self.enrolled):
            self.check(f"usage list of {of}", lambda: self.lists("usage", of))
            self.check(f"marketplace list of {of}", lambda: self.lists("marketplace", of))
            self.check(f"pricesheet show of {of}", lambda: self.prices(of))
        self.check("usage list --top", self.few)
        self.check("whoever holds the reservation signs in", self.signs_in)
        for kind in ("detail", "summary"):
            self.check(f"reservation {kind} list", lambda: self.reserved(kind))
        self.check("budgets", self.budgets)
        self.check("every operation of the table", self.everything)

    def check(self, what, rule):
        self.tally.check(f"az consumption, {what}", rule)

    def commands(self):
        python = AZ.parent / "python"
        words = [python, "-c", EVERY_COMMAND]
        done = subprocess.run(words, env=self.owner.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        own = {row.command for row in table()}
        assert set(json.loads(done.stdout)) == own, (done.stdout, own)

    def plainly(self, who, path, **query):
        """The whole list, or the resource."""
        query = urllib.parse.urlencode({"api-version": VERSION, **query})
        url = f"{self.context['base_url']}{path}?{query}"
        rows = []
        while url:
            status, _, answer = self.reader.call(who, "GET", url)
            assert status == 200, (url, status, answer)
            if "value" not in answer:
                return answer
            rows, url = rows + answer["value"], answer.get("nextLink")
        return rows

    def lists(self, kind, of):
        tail = {"usage": "usageDetails", "marketplace": "marketplaces"}[kind]
        words = ["consumption", kind, "list", "--subscription", of]
        read = self.owner.answer(*words, *DAYS)
        path = f"/subscriptions/{of}/{PROVIDER}/{tail}"
        expected = self.plainly("owner", path, **{"$filter": by("usageEnd", "'")})
        self.are_the_same(expected, read)
        period = self.context["periods"]["closed"][-1]
        read = self.owner.answer(*words, "--billing-period-name", period)
        of_period = f"/subscriptions/{of}/providers/Microsoft.Billing/billingPeriods/{period}"
        self.are_the_same(self.plainly("owner", f"{of_period}/{PROVIDER}/{tail}"), read)
        self.asked.add({"usage": "UsageDetails_List", "marketplace": "Marketplaces_List"}[kind])
        return f"{len(expected)} rows"

    def are_the_same(self, expected, read):
        names = lambda rows: [row["name"] for row in rows]
        assert names(expected) == names(read), (expected[:1], read[:1])

    def few(self):
        # Only what an enrollment used has such details.
        words = ["consumption", "usage", "list", "--subscription", self.enrolled, *DAYS]
        read = self.owner.answer(*words, "--top", "3", "--include-meter-details")
        assert len(read) == 3, read
        assert any(row.get("meterDetails") for row in read), read

    def prices(self, of):
        words = ["consumption", "pricesheet", "show", "--subscription", of]
        path = f"/subscriptions/{of}/{PROVIDER}/pricesheets/default"
        expected = self.plainly("owner", path)["properties"]["pricesheets"]
        read = self.owner.answer(*words, "--include-meter-details", "true")["pricesheets"]
        assert len(read) == len(expected), (len(read), len(expected))
        for one, other in zip(expected, read):
            plain.same(one["unitPrice"], float(other["unitPrice"]), "unitPrice")
        self.asked.add("PriceSheet_Get")
        self.owner.answer(*words, "--billing-period-name", self.context["periods"]["closed"][-1])
        self.asked.add("PriceSheet_GetByBillingPeriod")
        return f"{len(read)} prices"

    def signs_in(self):
        self.holder.registers()
        self.holder.signs_in()

    def reserved(self, kind):
        group = {"detail": "Details", "summary": "Summaries"}[kind]
        grain = ["--grain", "daily"] if kind == "summary" else []
        query = {"grain": "daily"} if kind == "summary" else {}
        query |= {"$filter": by("UsageDate", "")}
        order = f"/providers/Microsoft.Capacity/reservationorders/{self.reservation}"
        words = ["consumption", "reservation", kind, "list", *grain, *DAYS]
        words += ["--reservation-order-id", self.reservation]
        for own, path, operation in [
            ([], order, "ListByReservationOrder"),
            (
                ["--reservation-id", self.reservation],
                f"{order}/reservations/{self.reservation}",
                "ListByReservationOrderAndReservation",
            ),
        ]:
            read = self.holder.answer(*words, *own)
            expected = self.plainly("recipient", f"{path}/{PROVIDER}/reservation{group}", **query)
            assert len(read) == len(expected), (len(read), len(expected))
            self.asked.add(f"Reservations{group}_{operation}")

    def budgets(self):
        name, own = "az-budget", ["--subscription", self.subscription]
        of = ["--budget-name", name, *own]
        made = self.owner.answer(
            "consumption", "budget", "create", *of, "--category", "cost", "--amount", "100.5",
            "--time-grain", "monthly", "--start-date", "2026-11-01", "--end-date", "2027-11-01",
        )
        assert made["name"] == name, made
        shown = self.owner.answer("consumption", "budget", "show", *of)
        assert float(shown["amount"]) == 100.5, shown
        listed = self.owner.answer("consumption", "budget", "list", *own)
        assert name in [one["name"] for one in listed], listed
        answered(self.owner.run(["consumption", "budget", "delete", *of]))
        self.asked |= {row.operation for row in table() if row.operation.startswith("Budgets_")}

    def everything(self):
        served = {row.operation for row in table() if row.answer == "served"}
        assert served == self.asked, served ^ self.asked
