"""Reports of an enrollment as their clients read them: with a key, by pages, as CSV, by exports.

No package for these APIs is published; their users write such clients themselves, with the standard
library or with pandas.
"""

import csv
import io
import json
import time
import urllib.error
import urllib.request
from decimal import Decimal

import pandas
import plain
import servers

VERSIONS = ("v1", "v2", "v3")
# Members of usage details, and their types in JSON.
NUMBERS = """
    cost accountId productId resourceLocationId consumedServiceId departmentId subscriptionId
    consumedQuantity resourceRate
""".split()
TEXTS = """
    accountOwnerEmail accountName serviceAdministratorId subscriptionGuid subscriptionName date
    product meterId meterCategory meterSubCategory meterRegion meterName resourceLocation
    consumedService instanceId serviceInfo1 serviceInfo2 additionalInfo tags
    storeServiceIdentifier departmentName costCenter unitOfMeasure resourceGroup
""".split()
OF_FIRST = {"enrollmentNumber": str, "extendedCost": Decimal}
OF_THIRD = {
    "serviceName": str,
    "serviceTier": str,
    "location": str,
    "chargesBilledSeparately": bool,
    "partNumber": str,
    "resourceGuid": str,
    "offerId": str,
}
COLUMNS = """
    AccountId AccountName AccountOwnerEmail AdditionalInfo ConsumedQuantity ConsumedService
    ConsumedServiceId Cost CostCenter Date DepartmentId DepartmentName InstanceId MeterCategory
    MeterId MeterName MeterRegion MeterSubCategory Product ProductId ResourceGroup
    ResourceLocation ResourceLocationId ResourceRate ServiceAdministratorId ServiceInfo1
    ServiceInfo2 StoreServiceIdentifier SubscriptionGuid SubscriptionId SubscriptionName Tags
    UnitOfMeasure PartNumber ResourceGuid OfferId ChargesBilledSeparately Location ServiceName
    ServiceTier
""".split()
# What a poll says of an export: go on asking, done.
RUNNING, DONE = (1, 2, 6), 3


def members(version):
    """The members of a row, with their types."""
    both = dict.fromkeys(NUMBERS, Decimal) | dict.fromkeys(TEXTS, str)
    return both | {"v1": OF_FIRST, "v2": {}, "v3": OF_THIRD}[version]


def as_cell(value):
    """A member's value as CSV has it."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return format(value, "f")


class Reports:
    """What somebody with a key reads of the demo's enrollment."""

    def __init__(self, tally, context):
        self.tally, self.told = tally, context["enterprise"]
        self.base, self.tls = context["base_url"], plain.Reader(context).tls
        self.first, self.last = (context["invoice_window"][end] for end in ("from", "to"))

    def check(self, what, rule):
        self.tally.check(f"demo: reports of an enrollment, {what}", rule)

    def run(self):
        self.check("keys that do not open it", self.refusals)
        self.check("pages come to the balance", self.pages)
        self.check("CSV is read by the standard library and by pandas", self.files)
        self.check("an export is submitted, polled and downloaded", self.export)
        self.check("what has not changed", self.unchanged)
        self.check("lists are tables", self.lists)
        self.check("keys of a part", self.parts)

    def url(self, version, report, enrollment=None):
        return f"{self.base}/{version}/enrollments/{enrollment or self.told['enrollment']}/{report}"

    def ask(self, url, verb="GET", key="api_key", **headers):
        """Status, headers and bytes; nobody signs in where there is no key."""
        # Clients send these, whatever they do.
        headers = {"api-version": "1.0", "Content-Type": "application/json", **headers}
        if key is not None:
            headers["Authorization"] = f"bearer {self.told[key]}"
        body = b"" if verb == "POST" else None
        request = urllib.request.Request(url, body, headers, method=verb)
        try:
            answer = urllib.request.urlopen(request, context=self.tls, timeout=60)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            assert answer.headers["x-ms-request-id"], "each answer carries x-ms-request-id"
            return answer.status, answer.headers, answer.read()

    def read(self, url):
        status, _, text = self.ask(url)
        assert status == 200, (url, status, text)
        return plain.parse(text)

    def refusals(self):
        for key in ("expired_key", "revoked_key"):
            status, _, text = self.ask(self.url("v3", "usagedetails"), key=key)
            assert (status, "error" in json.loads(text)) == (401, True), (key, status, text)
        foreign = self.url("v3", "usagedetails", self.told["foreign_enrollment"])
        status, _, text = self.ask(foreign)
        assert (status, "error" in json.loads(text)) == (401, True), (status, text)

    def periods(self):
        listed = self.read(self.url("v3", "billingPeriods"))
        both = ("usageDetails", "balanceSummary")
        periods = [one["billingPeriodId"] for one in listed if all(one[name] for name in both)]
        assert periods, listed
        return periods

    def walk(self, version, report):
        """All rows, by following links as they are."""
        rows, url = [], self.url(version, report)
        while url:
            page = self.read(url)
            assert isinstance(page["id"], str), page["id"]
            rows, url = rows + page["data"], page["nextLink"]
        return rows

    def pages(self):
        count = 0
        for period in self.periods():
            balance = self.read(self.url("v2", f"billingPeriods/{period}/balancesummary"))
            for version in VERSIONS:
                rows = self.walk(version, f"billingPeriods/{period}/usagedetails")
                for row in rows:
                    types = {name: type(value) for name, value in row.items()}
                    assert types == members(version), (version, row)
                costs = sum((row["cost"] for row in rows), Decimal(0))
                assert costs == balance["totalUsage"], (period, version, costs, balance)
                count += len(rows)
        return f"{count} rows"

    def files(self):
        """Two lines and the columns' names stand before the rows."""
        count = 0
        for period in self.periods():
            url = self.url("v3", f"usagedetails/download?billingPeriod={period}")
            status, headers, file = self.ask(url)
            assert status == 200, (status, file)
            assert headers.get_content_type() == "application/octet-stream", headers
            count += self.is_of(period, file)
        return f"{count} rows"

    def is_of(self, period, file):
        assert file.startswith(b"\xef\xbb\xbf"), file[:9]
        assert file.count(b"\n") == file.count(b"\r\n"), "each line ends with CRLF"
        lines = io.StringIO(file.decode("utf-8-sig"), newline="")
        title, blank = next(lines), next(lines)
        assert period in title and blank == "\r\n", (title, blank)
        reader = csv.DictReader(lines)
        rows = list(reader)
        assert reader.fieldnames == COLUMNS, reader.fieldnames
        told = self.walk("v3", f"billingPeriods/{period}/usagedetails")
        cells = [
            {name: as_cell(row[name[0].lower() + name[1:]]) for name in COLUMNS} for row in told
        ]
        assert rows == cells, f"{period}: the file and the pages say the same"
        # Some clients skip three lines and know the columns, some two, some one and a blank.
        exact = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
        for skipped in ({"skiprows": 1}, {"skiprows": 2}, {"skiprows": 3, "names": COLUMNS}):
            frame = pandas.read_csv(io.BytesIO(file), **skipped, **exact)
            assert frame.to_dict("records") == rows, (period, skipped)
        typed = pandas.read_csv(io.BytesIO(file), skiprows=2)
        for name in ("Cost", "ConsumedQuantity", "ResourceRate", "AccountId"):
            assert pandas.api.types.is_numeric_dtype(typed[name]), (name, typed[name].dtype)
        dates = pandas.to_datetime(typed["Date"])
        assert set(dates.dt.strftime("%Y%m")) == {period}, (period, dates)
        return len(rows)

    def export(self):
        """As clients do it: the answer to the submission says where to go on."""
        period = self.periods()[-1]
        submit = self.url("v3", f"usagedetails/submit?billingPeriod={period}")
        status, _, text = self.ask(submit, "POST")
        assert status in (200, 202), (status, text)
        job, polls = json.loads(text), 0
        while job["status"] in RUNNING:
            assert polls < 600, job
            time.sleep(0.2)
            polls += 1
            job = json.loads(self.ask(job["reportUrl"])[2])
        assert job["status"] == DONE, job
        status, _, file = self.ask(job["blobPath"], key=None)
        assert status == 200, (status, file)
        return f"{self.is_of(period, file)} rows"

    def unchanged(self):
        url = self.url("v3", f"billingPeriods/{self.periods()[-1]}/usagedetails")
        _, headers, _ = self.ask(url)
        status, again, text = self.ask(url, **{"If-None-Match": headers["ETag"]})
        assert (status, again["ETag"], text) == (304, headers["ETag"], b""), (status, text)

    def lists(self):
        """Reports without an envelope, each with something in it, and no row without a value."""
        days, back = f"startDate={self.first}&endDate={self.last}", "lookBackPeriod=30"
        reports = {
            "v3": ("marketplacecharges", "pricesheet"),
            "v4": (f"reservationcharges?{days}",),
            "v2": (
                f"reservationdetails?{days}",
                f"reservationsummaries?grain=daily&{days}",
                "reservationsummaries?grain=monthly",
                f"SharedReservationRecommendations?{back}",
                f"SingleReservationRecommendations?{back}",
            ),
        }
        count = 0
        for version, names in reports.items():
            for name in names:
                frame = pandas.DataFrame(self.read(self.url(version, name)))
                assert len(frame) and not frame.isna().any(axis=None), (name, frame)
                count += len(frame)
        return f"{count} rows"

    def parts(self):
        """They read usage, with costs as the policies say, and nothing of the whole."""
        for key, shows in (("department_key", True), ("account_owner_key", False)):
            status, _, text = self.ask(self.url("v3", "usagedetails"), key=key)
            assert status == 200, (key, status, text)
            rows = plain.parse(text)["data"]
            assert rows and all(("cost" in row) == shows for row in rows), (key, rows[:1])
            for report in ("balancesummary", "pricesheet", "marketplacecharges"):
                status, _, text = self.ask(self.url("v3", report), key=key)
                assert (status, "error" in json.loads(text)) == (403, True), (report, status, text)


def the_demo(tally, place, program):
    with servers.demo(place, program) as file:
        Reports(tally, json.loads(file.read_text())).run()
