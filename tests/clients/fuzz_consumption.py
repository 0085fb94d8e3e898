"""Generated requests of Azure Consumption that reach deep: the calls of its scenarios, at scopes
that the demo has, with words that parameters mean.

As `fuzz_cases.py` for Azure Billing.
"""

import re

import consumption
import fuzz_cases
from fuzz_cases import MATCHES, NEW, NOBODYS, weighted
from hypothesis import strategies as st

DAYS = "ge 2026-09-01 AND properties/usageDate le 2026-10-31"
# Budgets that are there whenever something is asked.
KEPT = ["fuzz-kept", "Fuzz-Kept_2"]
QUERY = {
    "$apply": [
        "groupby((properties/department))",
        "groupby((properties/invoiceSectionId))",
        "groupby((properties/customerId))",
        "groupby((",
        "",
    ],
    "$expand": [
        "meterDetails",
        "additionalInfo",
        "properties/meterDetails,properties/additionalInfo",
        "nothing",
        "",
    ],
    "$filter": [
        f"properties/usageDate {DAYS}",
        f"properties/UsageDate {DAYS}",
        "properties/usageStart ge '2026-10-03' and properties/usageEnd le '2026-10-05'",
        "usageStart eq '2026-10-01' and usageEnd eq '2026-10-31'",
        "properties/chargeType eq 'Usage'",
        "tags eq 'env:prod'",
        "properties/eventDate ge 2026-09-01 AND properties/eventDate le 2026-10-31",
        "properties/lookBackPeriod eq 'Last30Days'",
        "properties/scope eq 'Shared'",
        "properties/resourceGroup eq 'Größe'",
        "lotSource eq 'PurchasedCredit'",
        "usageDate ge '2026-02-30'",
        "cost gt '3'",
        "(",
        "",
    ],
    "$skiptoken": ["none", ""],
    "$top": ["5", "1", "1000", "0", "1001", "many"],
    "endDate": ["2026-10-31", "2026-10-31T00:00:00Z", "2026-02-30", "soon", ""],
    "grain": ["daily", "monthly", "yearly"],
    "lookBackPeriod": ["Last7Days", "Last30Days", "Last60Days", "Last30"],
    "metric": ["actualcost", "amortizedcost", "usage", "ActualCost", "profit"],
    "product": ["hours", "Standard_DS1_v2", ""],
    "region": ["westeurope", "nowhere"],
    "reservationId": ["missing", ""],
    "reservationOrderId": ["missing", ""],
    "scope": ["Shared", "Single", "All"],
    "startDate": ["2026-09-01", "2026-09-01T00:00:00Z", "2014-04-30", "soon", ""],
    "term": ["P1Y", "P3Y", "P2Y"],
}
# Versions that are not there; `az` asks for one that is here beside those that are described.
OTHER_VERSIONS = ["", "2015-01-01", "latest", "2021-10-01-preview", "2021-10-01 "]
BODY = {
    "category": ["Cost", "Usage"],
    "amount": [100.65, 5000, 0, -1, 1e30],
    "timeGrain": ["Monthly", "Quarterly", "Annually", "BillingMonth", "Daily"],
    "startDate": ["2026-11-01T00:00:00Z", "2026-11-01", "2026-11-02T00:00:00Z", "2017-05-01"],
    "endDate": ["2027-10-31T00:00:00Z", "2027-10-31", "2026-01-01T00:00:00Z", "soon"],
    "threshold": [80, 99.5, 0, 1000, 1001, -1],
    "thresholdType": ["Actual", "Forecasted"],
    "contactEmails": [["ops@example.com"], ["ops@example.com", "two@example.com"], [], ["none"]],
    "contactRoles": [["Owner"], ["Contributor", "Reader"], [], ["Nobody"]],
    "contactGroups": [[], ["/subscriptions/none"]],
    "locale": ["en-us", "xx-xx"],
    "eTag": ["none", ""],
    "filter": [{"tags": {"name": "env", "operator": "In", "values": ["prod"]}}, {}],
}
BILLING = "providers/Microsoft.Billing"


class Known:
    """Where the demo's calls lead."""

    def __init__(self, context, reader, version):
        self.context, self.version, self.asks = context, version, {}
        for asked in consumption.asks(context, version):
            self.asks.setdefault(asked["operation"], []).append(asked)
        every = [asked for asks in self.asks.values() for asked in asks]
        self.pools = {}
        for asked in every:
            for name, value in asked["names"].items():
                self.pools.setdefault(name, set()).add(value)
        self.pools["scope"] = self.pools.get("scope", set()) | set(self.scopes())
        periods = context["periods"]
        self.pools["billingPeriodName"] = {*periods["closed"], periods["open"], "202613", "209901"}
        self.sent = [asked["body"] for asked in every if asked["body"] is not None]
        self.client = consumption.Plain(context, version=version)
        # Where budgets can be kept, as far as is known.
        self.keeping = sorted(self.pools["scope"])

    def scopes(self):
        """Every kind of scope, of every account; what is nobody's, or foreign."""
        found = []
        for held in self.context["accounts"].values():
            account = f"{BILLING}/billingAccounts/{held['billing_account']}"
            found += [account, f"{account}/billingPeriods/202610"]
            for member, collection in [
                ("billing_profile", "billingProfiles"),
                ("invoice_section", "invoiceSections"),
                ("customer", "customers"),
                ("department", "departments"),
                ("enrollment_account", "enrollmentAccounts"),
            ]:
                if member in held:
                    found.append(f"{account}/{collection}/{held[member]}")
                    found.append(f"{BILLING}/{collection}/{held[member]}")
            if "subscription" in held:
                own = f"subscriptions/{held['subscription']}"
                of_period = f"{own}/{BILLING}/billingPeriods/{self.context['periods']['open']}"
                found += [own, f"{own}/resourceGroups/demo", of_period]
        found += [f"subscriptions/{name}" for name in NOBODYS]
        found += [f"{BILLING}/billingAccounts/{name}" for name in NOBODYS]
        return [*found, "providers/Microsoft.Management/managementGroups/none", "x/y"]

    def renew(self):
        """Budgets that were taken are made again, wherever some can be kept."""
        self.keeping = [of for of in self.keeping if all(self.keeps(of, name) for name in KEPT)]
        assert self.keeping, "budgets can be kept somewhere"

    def keeps(self, scope, name):
        """Makes a budget, or makes it anew; whether that can be."""
        path = f"/{quoted('scope', scope)}/providers/Microsoft.Consumption/budgets/{name}"
        asked = self.asks["Budgets_CreateOrUpdate"][0] | {"path": path}
        status, answer = self.client.answer(asked)
        assert status in (200, 201, 400, 403, 404), (path, status, answer)
        return status < 300

    def body(self, _operation, _path):
        return BODY

    def drawn(self, pick, operation):
        """A call that is right; `pick` chooses one of many. Budgets are wherever they can be kept:
        mostly new ones are made, and mostly those are asked for that are there."""
        asked = pick(self.asks[operation])
        if not operation.startswith("Budgets_"):
            return asked
        names = asked["names"] | {"scope": pick(self.keeping)}
        if "budgetName" in names:
            often, seldom = (NEW[:2], KEPT) if asked["verb"] == "PUT" else (KEPT, NEW[:2])
            names["budgetName"] = pick([*often * 3, *seldom])
        return asked | {"names": names}

    def pool(self, name):
        return sorted(self.pools["scope" if is_scope(name) else name]) + NOBODYS


def is_scope(name):
    """The first version calls one of its scopes otherwise."""
    return name in ("scope", "billingScope")


def quoted(name, value):
    """A scope is many segments, all else is one."""
    if not is_scope(name):
        return fuzz_cases.quoted(value)
    return "/".join(map(fuzz_cases.quoted, value.split("/")))


def right_names(case, asked):
    """The names of a right call, by the parameters of the description's path."""
    members = re.findall(r"\{(\w+)\}", case.path)
    names = zip(members, asked["names"].values(), strict=True)
    return {name: quoted(name, value) for name, value in names}


def path_names(draw, known, case, asked):
    """The names of a path: mostly those of a right call, else any that exist, else garbage."""
    generated, names = case.path_parameters or {}, right_names(case, asked)
    how = weighted(draw, (8, "there"), (2, "any"), (2, "generated")) if generated else "there"
    if how == "any":
        pick = lambda name: draw(st.sampled_from(known.pool(name)))
        names |= {name: quoted(name, pick(name)) for name in names if name != "budgetName"}
    elif how == "generated":
        garbage = draw(st.sampled_from(sorted(generated)))
        names[garbage] = generated[garbage]
    # Such names lead to other operations, or to none.
    return {name: "-" if of in ("", ".", "..") else of for name, of in names.items()}


def query(draw, known, case, declared, asked):
    """Parameters of a query: mostly those of a right call, and declared ones beside."""
    if weighted(draw, (4, "meant"), (1, "generated")) == "generated":
        found = {name: of for name, of in (case.query or {}).items() if name != "api-version"}
    else:
        own = asked["query"]
        found = {name: of for name, of in own.items() if draw(st.integers(0, 9)) > 0}
        for name in declared:
            # What is there already is mostly right.
            often = 1 if name in own else 2
            if name in QUERY and draw(st.integers(0, 9)) < often:
                found[name] = draw(st.sampled_from(QUERY[name]))
    version = weighted(draw, (12, known.version), (1, "other"), (1, None))
    if version == "other":
        version = draw(st.sampled_from(OTHER_VERSIONS))
    return found if version is None else found | {"api-version": version}


@st.composite
def cases(draw, known, operation, made, mode, examples):
    """A request, and whose token it carries."""
    case = draw(made.as_strategy(generation_mode=mode))
    declared = sorted(parameter.name for parameter in made.query)
    asked = known.drawn(lambda many: draw(st.sampled_from(many)), operation)
    case.path_parameters = path_names(draw, known, case, asked)
    case.query = query(draw, known, case, declared, asked)
    if made.body and not isinstance(case.body, bytes):
        case.body = fuzz_cases.body(draw, known, operation, case, known.sent + examples)
    if draw(st.integers(0, 7)) == 7:
        name = "If-None-Match" if case.method == "GET" else "If-Match"
        case.headers = {**(case.headers or {}), name: draw(st.sampled_from(MATCHES))}
    others = [who for who in sorted(known.context["clients"]) if who != asked["who"]]
    return case, weighted(draw, (4, asked["who"]), (1, draw(st.sampled_from(others))))


def place(known, operation, case, chosen):
    """Gives a case at a border of the description the names and the words of a right call; says
    whose token it carries."""
    asked, border = known.drawn(chosen.choice, operation), case.meta.phase.data
    where = border.parameter_location
    if where is None or where.value != "path":
        case.path_parameters = right_names(case, asked)
    words = asked["query"] | {"api-version": known.version}
    at = border.parameter if where is not None and where.value == "query" else None
    # All but what is at the border is as in the right call; what is not there has the word "" here.
    found = {name: of for name, of in (case.query or {}).items() if of != "" or name == at}
    case.query = found | {name: of for name, of in words.items() if name != at}
    return asked["who"]
