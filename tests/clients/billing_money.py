"""Figures of Azure Billing: what clients read and download against the operator's books."""

import csv
import datetime
import io
import json
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from decimal import Decimal

import billing
import plain
from billing import FIRST, SECOND, ask
from billing_reads import placed

# Members of an invoice by the sums that the operator's books have of it.
SUMS = {
    "azurePrepaymentApplied": "prepayment",
    "freeAzureCreditApplied": "credit",
    "subTotal": "subtotal",
    "taxAmount": "tax",
    "totalAmount": "total",
}
# Members of a transaction by those of a line in the books.
OF_LINE = {"transactionAmount": "exact", "subTotal": "left", "tax": "tax"}
# Where invoices are listed, by the place.
INVOICES_BY = {
    "account": "Invoices_ListByBillingAccount",
    "profile": "Invoices_ListByBillingProfile",
}
PRICE_SHEET = """
    BillingAccountId BillingAccountName BillingProfileId BillingProfileName ServiceFamily Product
    ProductId SkuId UnitOfMeasure MeterId MeterName MeterType MeterCategory MeterSubCategory
    MeterRegion TierMinimumUnits EffectiveStartDate EffectiveEndDate UnitPrice BasePrice MarketPrice
    Currency BillingCurrency Term PriceType
""".split()


def books(client, path, **query):
    """What the operator reads, to every digit."""
    context = client.context
    url = f"{context['admin']['url']}/{path}?{urllib.parse.urlencode(query)}"
    token = {"Authorization": f"Bearer {context['clients']['operator']['token']}"}
    asked = urllib.request.Request(url, headers=token)
    with urllib.request.urlopen(asked, context=client.reader.tls, timeout=60) as answer:
        return json.loads(answer.read())


def fetched(client, url):
    """The file behind a link, for which nobody signs in: its kind and its bytes."""
    with urllib.request.urlopen(url, context=client.reader.tls, timeout=60) as answer:
        return answer.headers.get_content_type(), answer.read()


def value(amount):
    return amount["value"] if amount else Decimal(0)


def total(rows, member):
    """What a member of resources comes to."""
    return sum((value(row["properties"].get(member)) for row in rows), Decimal(0))


def sheets(kind, file):
    """The rows of a file of CSV, or of each in an archive, by its name."""
    if kind == "application/zip":
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            assert archive.testzip() is None, "the archive is whole"
            members = {name: archive.read(name) for name in archive.namelist()}
    else:
        assert kind == "text/csv", kind
        members = {"": file}
    read = lambda text: list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    return {name: read(text) for name, text in members.items()}


def american(day):
    """A day as descriptions want it; examples write it as the calendar does."""
    return datetime.date.fromisoformat(day).strftime("%m-%d-%Y")


def token_of(url):
    """What a document's address has that a download of it wants."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))["downloadToken"]


def forged(url):
    """A link with another seal than it has: its longest word."""
    parts = urllib.parse.urlsplit(url)
    words = urllib.parse.parse_qsl(parts.query)
    longest = max(words, key=lambda word: len(word[1]))
    middle = len(longest[1]) // 2
    seal = list(longest[1])
    seal[middle] = "b" if seal[middle] == "a" else "a"
    other = longest[0], "".join(seal)
    query = urllib.parse.urlencode([other if word == longest else word for word in words])
    return urllib.parse.urlunsplit(parts._replace(query=query))


def urls_of(invoices):
    return [document["url"] for one in invoices for document in one["properties"]["documents"][:1]]


class Figures:
    """What a client of either version reads of money; `flows` compares what it is answered."""

    def __init__(self, flows):
        self.flows, self.plain, self.version = flows, flows.plain, flows.version
        self.known = billing.names(self.plain)
        self.profile = {FIRST: "profile", SECOND: "account"}[self.version]

    def run(self):
        check = self.flows.check
        check("invoices are those of the books", self.invoices)
        check("transactions of an invoice come to it", self.transactions)
        check("a period may be spelled as descriptions have it", self.spelled)
        check("available balance is that of the books", self.balance)
        files = []
        check("what can be downloaded is there", lambda: files.extend(self.files()))
        for about, asked, rule in files:
            check(f"{asked['operation']}, {about}", lambda: self.downloads(asked, rule))
        if self.version == FIRST:
            check("pending transactions", self.pending)
            check("months of subscriptions", self.by_month)
            check("transactions of reservations", self.of_reservations)

    def read(self, operation, place=None, **more):
        asked = placed(self.plain, self.version, operation, place, **more)
        return self.plain.read(asked, self.version)

    def places(self):
        """The second version shows no invoices of enrollments."""
        of_first = ["enrollment"] if self.version == FIRST else []
        return ["account", "partner", "online", *of_first]

    def invoices(self):
        """Each invoice of each account is the one that the operator sees."""
        count = 0
        for place in self.places():
            account = self.known[place]["billingAccountName"]
            listed = books(self.plain, "invoices", billing_account=account)["invoices"]
            listed = {one["number"] for one in listed if one["kind"] == "invoice"}
            rows = self.read("Invoices_ListByBillingAccount", place)
            assert {row["name"] for row in rows} == listed, (rows, listed)
            for row in rows:
                self.is_issued(row)
            self.opens(rows[0])
            count += len(rows)
        return f"{count} invoices"

    def is_issued(self, invoice):
        told, whole = invoice["properties"], self.issued(invoice["name"])
        assert told["amountDue"]["currency"] == whole["currency"], told
        assert value(told["amountDue"]) == Decimal(whole["owed"]), (told, whole["owed"])
        charges = value(told["billedAmount"]) - value(told.get("creditAmount"))
        if "creditAmount" in told:
            assert charges == Decimal(whole["totals"]["charges"]), (told, whole["totals"])
        for member, of in SUMS.items():
            if member in told:
                assert value(told[member]) == Decimal(whole["totals"][of]), (member, told)

    def issued(self, number):
        return books(self.plain, f"invoices/{urllib.parse.quote(number)}")

    def opens(self, invoice):
        """The address of a document is one that anybody may follow."""
        [url] = urls_of([invoice])
        self.is_of(sheets(*fetched(self.plain, url)), [invoice])
        self.is_sealed(url)

    def transactions(self):
        """Each is a line of the books; they come to what the invoice says."""
        invoices = self.read(INVOICES_BY[self.profile], self.profile)
        count = 0
        for invoice in invoices:
            number = invoice["name"]
            rows = self.read("Transactions_ListByInvoice", self.profile, invoiceName=number)
            lines = {f"{number}-{one['number']}": one for one in self.issued(number)["lines"]}
            assert [row["name"] for row in rows] == [*lines], (number, len(rows), len(lines))
            for row in rows:
                for member, of in OF_LINE.items():
                    told = value(row["properties"][member])
                    assert told == Decimal(lines[row["name"]][of]), (member, row)
            told = invoice["properties"]
            lots = value(told["azurePrepaymentApplied"]) + value(told["freeAzureCreditApplied"])
            assert total(rows, "azureCreditApplied") == lots, (number, lots)
            assert total(rows, "subTotal") == value(told["subTotal"]), number
            assert total(rows, "tax") == value(told["taxAmount"]), number
            rounding = sum(Decimal(line["rounding"]) for line in lines.values())
            charges = value(told["billedAmount"]) - value(told["creditAmount"])
            assert total(rows, "transactionAmount") + rounding == charges, (number, rounding)
            count += len(rows)
        return f"{count} transactions on {len(invoices)} invoices"

    def spelled(self):
        asked = placed(self.plain, self.version, INVOICES_BY[self.profile], self.profile)
        expected = self.plain.read(asked, self.version)
        query = {name: american(day) for name, day in asked["query"].items()}
        [read] = self.flows.client.answers([asked | {"query": query}])
        self.flows.compare(asked, expected, read)

    def balance(self):
        by = {FIRST: "ByBillingProfile", SECOND: ""}[self.version]
        told = self.read(f"AvailableBalances_Get{by}")["properties"]["amount"]
        account = self.known["account"]["billingAccountName"]
        held = books(self.plain, "balance", billing_account=account)
        credit = [lot["available"] for lot in held["lots"] if lot["kind"] == "credit"]
        assert value(told) == sum(map(Decimal, credit)), (told, held)
        assert told["currency"] == held["currency"], (told, held)
        return f"{told['value']} {told['currency']}"

    def downloads(self, asked, rule):
        """A link to a file that needs no token, and to no other file."""
        [link] = self.flows.client.answers([asked])
        told = self.plain.read(asked, self.version)
        assert link.keys() == told.keys() == {"url", "expiryTime"}, (link, told)
        expiry = plain.instant(told["expiryTime"])
        assert expiry > datetime.datetime.now(datetime.timezone.utc), told
        kind, file = fetched(self.plain, link["url"])
        assert (kind, file) == fetched(self.plain, told["url"]), "both links lead to the same"
        self.flows.asked.add(asked["operation"])
        self.is_sealed(link["url"])
        return rule(sheets(kind, file))

    def is_sealed(self, url):
        try:
            fetched(self.plain, forged(url))
        except urllib.error.HTTPError as refusal:
            assert 400 <= refusal.code < 500, refusal
        else:
            raise AssertionError(f"{url} leads to a file with any seal")

    def files(self):
        """Everything that can be downloaded: what about, the ask, and what must be in the file."""
        of_invoices = self.second_files if self.version == SECOND else self.first_files
        return of_invoices()

    def second_files(self):
        invoices = self.read("Invoices_ListByBillingAccount", "account")
        online = self.read("Invoices_ListByBillingSubscription")
        account = self.known["account"]
        subscription = {"subscriptionId": self.plain.context["accounts"]["mosp"]["subscription"]}
        one = lambda invoices: {"invoiceName": invoices[0]["name"]}
        token = lambda invoices: {"downloadToken": token_of(urls_of(invoices)[0])}
        many = "Invoices_DownloadMultipleBilling"
        return [
            (
                "one",
                ask("Invoices_DownloadInvoice", account | one(invoices), query=token(invoices)),
                lambda files: self.is_of(files, invoices[:1]),
            ),
            (
                "one of a subscription",
                ask(
                    "Invoices_DownloadBillingSubscriptionInvoice",
                    subscription | one(online),
                    query=token(online),
                ),
                lambda files: self.is_of(files, online[:1]),
            ),
            self.several(f"{many}ProfileInvoices", account, invoices),
            self.several(f"{many}SubscriptionInvoices", subscription, online),
        ]

    def first_files(self):
        invoices = self.read("Invoices_ListByBillingProfile")
        online = self.read("Invoices_ListByBillingSubscription")
        subscription = {"subscriptionId": self.plain.context["accounts"]["mosp"]["subscription"]}
        many = "Invoices_DownloadMultipleBilling"
        of_enterprise = "Invoices_DownloadMultipleEAInvoices"
        of_enrollment = self.read("Invoices_ListByBillingAccount", "enrollment")
        prices = ("PriceSheet_DownloadByBillingProfile", "PriceSheet_Download")
        prices = [placed(self.plain, FIRST, operation, "profile") for operation in prices]
        return [
            self.several(f"{many}ProfileInvoices", self.known["profile"], invoices),
            self.several(f"{many}SubscriptionInvoices", subscription, online),
            self.several(of_enterprise, self.known["enrollment"], of_enrollment),
            ("prices", prices[0], self.is_price_sheet),
            ("prices", prices[1], self.is_of_invoice),
        ]

    def several(self, operation, names, invoices):
        """The same from a list of addresses."""
        some = invoices[:3]
        assert len(some) > 1, "several invoices are there"
        asked = ask(operation, names, body=urls_of(some))
        return "several", asked, lambda files: self.is_of(files, some)

    def is_of(self, files, invoices):
        """The files of invoices: their rows come to what the books say."""
        if "" in files:
            assert len(files) == len(invoices) == 1, sorted(files)
            files = {f"{invoices[0]['name']}.csv": files[""]}
        assert files.keys() == {f"{one['name']}.csv" for one in invoices}, sorted(files)
        for invoice in invoices:
            number, rows = invoice["name"], files[f"{invoice['name']}.csv"]
            totals = self.issued(number)["totals"]
            for of_row, of in (("booked", "charges"), ("tax", "tax"), ("total", "total")):
                sums = sum(Decimal(row[of_row]) for row in rows), Decimal(totals[of])
                assert sums[0] == sums[1], (number, of, sums)
        return f"{sum(map(len, files.values()))} rows in {len(files)} files"

    def prices(self, files):
        """The rows of a price sheet, whose columns are the contract's."""
        [rows] = files.values()
        assert rows and list(rows[0]) == PRICE_SHEET, rows[:1]
        for row in rows:
            assert Decimal(row["UnitPrice"]) >= 0 and row["PriceType"], row
            assert row["EffectiveStartDate"] < row["EffectiveEndDate"], row
        return rows

    def is_of_invoice(self, files):
        """Its prices held in the billing period of the invoice."""
        rows = self.prices(files)
        told = self.read("Invoices_ListByBillingProfile")[0]["properties"]
        first, last = told["invoicePeriodStartDate"], told["invoicePeriodEndDate"]
        for row in rows:
            starts, ends = row["EffectiveStartDate"], row["EffectiveEndDate"]
            assert plain.instant(first) <= plain.instant(starts), row
            assert plain.instant(ends).date() <= plain.instant(last).date(), row
        return f"{len(rows)} rows"

    def is_price_sheet(self, files):
        """What the rate card asks from a tier on stands there, behind what is included."""
        rows, asked = self.prices(files), {}
        for row in rows:
            if row["MarketPrice"] and row["SkuId"] == self.plain.context["offer"]["id"]:
                tier = row["MeterId"], Decimal(row["TierMinimumUnits"])
                prices = Decimal(row["UnitPrice"]), Decimal(row["MarketPrice"])
                asked.setdefault(tier, set()).add(prices)
        listed = 0
        for meter in self.listed_now():
            for tier, rate in meter["MeterRates"].items():
                prices = asked.get((meter["MeterId"], Decimal(tier) + meter["IncludedQuantity"]))
                assert prices is None or (rate, rate) in prices, (meter, tier, prices)
                listed += prices is not None
        assert listed, "no row has a price of the rate card"
        return f"{len(rows)} rows, {listed} of them as on the rate card"

    def listed_now(self):
        """The meters of the rate card as it is now: it tells what was asked before, too."""
        now, meters = plain.instant(self.plain.context["now"]), {}
        since = lambda meter: plain.instant(meter["EffectiveDate"])
        for meter in sorted(self.plain.reader.card()["Meters"], key=since):
            if since(meter) <= now:
                meters[meter["MeterId"]] = meter
        return meters.values()

    def by_month(self):
        """What a subscription cost in a month is what its transactions for that month come to, but
        for what was reserved."""
        months, used = self.months(), {}
        for row in self.read("Transactions_ListByBillingAccount"):
            told = row["properties"]
            if told["kind"] != "reservation" and "subscriptionId" in told:
                key = told["subscriptionId"], told["servicePeriodStartDate"][:7]
                used[key] = used.get(key, Decimal(0)) + value(told["transactionAmount"])
        rows = self.read("BillingSubscriptions_ListByBillingAccount")
        for row in rows:
            for member, month in months.items():
                of_month = used.get((row["name"], month), Decimal(0))
                told = value(row["properties"][member])
                assert told == of_month, (row["name"], member, told, of_month)
        return f"{len(rows)} subscriptions"

    def months(self):
        today = plain.instant(self.plain.context["now"]).date()
        last = today.replace(day=1) - datetime.timedelta(days=1)
        members = {"monthToDateCharges": today, "lastMonthCharges": last}
        return {member: day.isoformat()[:7] for member, day in members.items()}

    def pending(self):
        """What stands on no invoice yet is pending; what stands on one is among that one's."""
        rows = self.read("Transactions_ListByBillingProfile")
        by_invoice = {}
        for row in rows:
            by_invoice.setdefault(row["properties"]["invoice"], []).append(row)
        assert by_invoice.pop("pending", None), "something is pending"
        for number, own in by_invoice.items():
            listed = self.read("Transactions_ListByInvoice", "profile", invoiceName=number)
            key = lambda row: row["name"]
            assert sorted(own, key=key) == sorted(listed, key=key), number
        return f"{len(rows)} transactions, {len(by_invoice)} invoices"

    def of_reservations(self):
        """Of the recipient, who has reserved something; the owner's invoice for it is withdrawn."""
        account = self.plain.context["accounts"]["recipient"]["billing_account"]
        asked = placed(self.plain, FIRST, "Transactions_ListByBillingAccount")
        asked |= {"names": {"billingAccountName": account}, "who": "recipient"}
        of_all = self.plain.read(asked, FIRST)
        asked |= {"query": asked["query"] | {"$filter": "properties/kind eq 'Reservation'"}}
        expected = self.plain.read(asked, FIRST)
        [read] = self.flows.client.answers([asked])
        self.flows.compare(asked, expected, read)
        kept = [row for row in of_all if row["properties"]["kind"] == "reservation"]
        assert kept and expected == kept, (len(expected), len(kept))
        return f"{len(kept)} of {len(of_all)} transactions"
