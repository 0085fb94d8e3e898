"""Generated requests that reach deep: names that the demo has, words that members mean.

schemathesis makes each request from the description, valid or not. What it cannot know is put in
here: which names exist, which go together, and values that pass the rules of a member.
"""

import collections
import copy
import csv
import json
import urllib.parse

import billing
import servers
from hypothesis import strategies as st

KINDS = servers.ROOT / "tests/azure-billing/kinds.csv"
NOBODYS = ["missing", billing.MISSING, "Über größe", "a b", "x" * 300, "%00", "'--", "null", "-"]
PARTNERS = "MicrosoftPartnerAgreement"
# Where transfers are listed for who received them.
RECEIVED = "/providers/Microsoft.Billing/transfers"
NEW = ["fuzz-one", "fuzz-two", "Fuzz.Three:3"]
EXPANDED = sorted({value for values in billing.EXPANDS.values() for value in values})
QUERY = {
    "$expand": [billing.ADDRESS_OF_ACCOUNT[version] for version in (billing.FIRST, billing.SECOND)]
    + EXPANDED
    + billing.OF_ACCOUNTS
    + ["nothing", "", ","],
    "$filter": [
        "name eq 'Harbourlight'",
        "displayName eq 'Harbourlight'",
        "properties/displayName eq 'Harbourlight'",
        "name ge 'a' and name lt 'z'",
        "name ne 'a'",
        "name eq",
        "(",
    ],
    "$search": ["a", "Harbour", "", "'"],
    "$skiptoken": ["none", ""],
}
# Versions that are not there.
OTHER_VERSIONS = ["", "2015-01-01", "latest", "2020-05-01-preview", "2020-05-01 "]
BODY = {
    "address": [billing.ADDRESS, billing.NO_ADDRESS],
    "soldTo": [billing.ADDRESS, billing.NO_ADDRESS],
    "billTo": [billing.ADDRESS, billing.NO_ADDRESS],
    "country": ["US", "DE", "us", "XX"],
    "region": ["IL", "WA", "il"],
    "postalCode": ["62701", "0"],
    "displayName": ["Fuzz", "Größe 漢字 \U0001f600", "x" * 256, "<b>'\"\\"],
    "poNumber": ["4711", ""],
    "amount": [1, 5000.5, 0.005, -1, 0, 1e30, 1e-30],
    "startDate": ["2027-01-01T00:00:00Z", "2027-02-30T00:00:00Z", "2027-01-01"],
    "endDate": ["2027-06-01T00:00:00Z", "2026-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"],
    "costCenter": ["centre", ""],
    "tags": [{"made": "fuzz"}, {}],
    "labels": [{"made": "fuzz"}, {}],
}
MATCHES = ["*", '"0"', "none"]


class Known:
    """Names that the demo has, as its lists tell them to its owner."""

    def __init__(self, context, reader, version):
        self.context, self.reader, self.version = context, reader, version
        served = billing.served(version).values()
        self.lists = {path for verb, path in served if verb == "GET"}
        self.listed, self.pools, self.found, self.kinds = {}, {}, {}, {}
        rows = csv.DictReader(KINDS.read_text().splitlines())
        self.answers = {row["operation"]: row for row in rows if row["version"] == version}

    def places(self, path):
        """Each set of names with which a path leads to something that is there."""
        if path not in self.found:
            found, template = [{}], ""
            for segment in path.strip("/").split("/"):
                if segment.startswith("{"):
                    name = segment[1:-1]
                    found = [
                        place | {name: value}
                        for place in found
                        for value in self.names(name, template, place)
                    ]
                template += f"/{segment}"
            self.found[path] = found
        return self.found[path]

    def names(self, name, template, place):
        if name == "subscriptionId":
            kinds = [of["subscription"] for of in self.context["accounts"].values() if len(of) > 1]
            found = [*kinds, *self.context["subscriptions"].values()]
        elif name == "invoiceName":
            found = [of["invoice"] for of in self.context["accounts"].values() if is_of(of, place)]
        elif template in self.lists:
            who = "recipient" if template == RECEIVED else "owner"
            found = self.ask(filled(template, place), who)
        else:
            found = []
        self.pools.setdefault(name, set()).update(found)
        return found

    def ask(self, path, who="owner"):
        """The names of a list; none where the account's kind has no such list."""
        if path not in self.listed:
            url = f"{self.context['base_url']}{path}?api-version={self.version}"
            names = []
            while url:
                status, _, answer = self.reader.call(who, "GET", url)
                assert status in (200, 400, 403, 404), (path, status, answer)
                answer = answer if status == 200 else {}
                for row in answer.get("value", []):
                    names.append(billing.name_of(row))
                    kind = row["properties"].get("agreementType") if "properties" in row else None
                    self.kinds |= {names[-1]: kind} if kind else {}
                url = answer.get("nextLink")
            self.listed[path] = names
        return self.listed[path]

    def reached(self, operation, case):
        """Places where an operation is served and does what its name says."""
        path, last = case.path, case.path.rsplit("/", 1)[1]
        makes = case.method == "PUT" and last.startswith("{")
        places = self.places(path.rsplit("/", 1)[0] if makes else path)
        answers = self.answers.get(operation, {})
        kind_of = lambda place: self.kinds.get(place.get("billingAccountName"))
        places = [of for of in places if answers.get(kind_of(of), "served") == "served"]
        if case.method == "DELETE":
            # Without its roles the owner would reach nothing any more. First where many are: the
            # last one of a place cannot be taken.
            places = [of for of in places if not self.is_owners(of.values())]
            beside = lambda of: [*of.values()][:-1]
            many = collections.Counter(json.dumps(beside(of)) for of in places)
            places.sort(key=lambda of: -many[json.dumps(beside(of))])
        if makes:
            # A partner has one profile of a currency: no new one can be made.
            is_full = lambda of: last == "{billingProfileName}" and kind_of(of) == PARTNERS
            free = [of for of in places if not is_full(of)]
            places = [of | {last[1:-1]: name} for of in free for name in NEW]
            places += self.places(path)
        return places

    def forget(self):
        """What was made or taken since is asked for again."""
        self.listed, self.found = {}, {}

    def pool(self, name):
        """Whatever such a thing is called anywhere, and names that nobody has."""
        foreign = [self.context["accounts"]["foreign"]["billing_account"]]
        return sorted(self.pools.get(name, ())) + foreign + NOBODYS

    def is_owners(self, names):
        owner = self.context["clients"]["owner"]["client_id"]
        return any(owner in name for name in names)

    def roles(self, operation, path):
        """The roles that can be given at a place: enterprise accounts do not list theirs."""
        puts = billing.ENTERPRISE_PUTS.items()
        place = next((place for place, (put, _) in puts if put == operation), None)
        if place:
            return [definition for _, definition in billing.ENTERPRISE_PLACES[place]]
        above = path.split("/billingRoleAssignments")[0].split("/createBillingRole")[0]
        found = self.places(f"{above}/billingRoleDefinitions/{{billingRoleDefinitionName}}")
        return sorted({place["billingRoleDefinitionName"] for place in found})

    def body(self, operation, path):
        """Words of members, with the roles and the people of the demo."""
        roles = self.roles(operation, path)
        # The owner has what the accounts' roles are; of enrollment accounts it is the owner.
        is_enterprise = any(put == operation for put, _ in billing.ENTERPRISE_PUTS.values())
        order = lambda who: (is_enterprise != (who == "owner"), who)
        clients = self.context["clients"]
        clients = [clients[who] for who in sorted(clients, key=order)]
        return BODY | {
            "principalId": [of["client_id"] for of in clients] + [billing.MISSING, "nobody"],
            "principalTenantId": [self.context["tenant_id"], billing.MISSING],
            "userEmailAddress": [of["email"] for of in clients if of.get("email")] + ["nobody"],
            "billingRoleDefinitionId": roles + ["none"],
            "roleDefinitionId": roles + ["none"],
        } | self.transferred()

    def transferred(self):
        """Words of transfers: who is asked for what."""
        recipient, partner = (self.context["accounts"][of] for of in ("recipient", "mpa"))
        of = lambda kind, id: {"productType": kind, "productId": id}
        products = [
            of("AzureSubscription", recipient["subscription"]),
            of("AzureReservation", recipient["reservation"]),
        ]
        both = [[product] for product in products] + [products, [products[0]] * 2, []]
        return {
            "recipientEmailId": [self.context["clients"]["recipient"]["email"], "nobody", ""],
            "resellerId": [partner["reseller"], "none"],
            "productDetails": both,
        }


def is_of(account, place):
    """Whether a place is the one whose invoice the context tells of an account."""
    profile = place.get("billingProfileName", account.get("billing_profile"))
    is_same = place.get("billingAccountName") == account["billing_account"]
    return "invoice" in account and is_same and profile == account.get("billing_profile")


def filled(template, names):
    for name, value in names.items():
        template = template.replace("{%s}" % name, quoted(value))
    return template


def quoted(name):
    return urllib.parse.quote(name, safe=":")


def weighted(draw, *choices):
    """Draws one of the choices, each as often as it says."""
    return draw(st.sampled_from([what for often, what in choices for _ in range(often)]))


def path_names(draw, known, operation, case):
    """The names of a path: mostly a place that is there, else any that exist, else garbage."""
    generated = dict(case.path_parameters or {})
    if not generated:
        return generated
    how = weighted(draw, (8, "there"), (2, "any"), (2, "generated"))
    places, names = known.reached(operation, case), dict(generated)
    if how != "any" and places:
        names |= {name: quoted(of) for name, of in draw(st.sampled_from(places)).items()}
    else:
        for name in generated:
            pool = known.pool(name)
            if case.method == "DELETE":
                pool = [of for of in pool if not known.is_owners([of])]
            names[name] = quoted(draw(st.sampled_from(pool)))
    if how == "generated":
        garbage = draw(st.sampled_from(sorted(generated)))
        names[garbage] = generated[garbage]
    # Such names lead to other operations, or to none.
    return {name: "-" if of in ("", ".", "..") else of for name, of in names.items()}


def query(draw, known, case, declared):
    """Parameters of a query: mostly declared ones with the right version."""
    if weighted(draw, (4, "meant"), (1, "generated")) == "generated":
        found = {name: of for name, of in (case.query or {}).items() if name != "api-version"}
    else:
        names = [name for name in declared if name != "api-version"]
        found = {name: draw(st.sampled_from(QUERY[name])) for name in names if draw(st.booleans())}
    version = weighted(draw, (12, known.version), (1, "other"), (1, None))
    if version == "other":
        version = draw(st.sampled_from(OTHER_VERSIONS))
    return found if version is None else found | {"api-version": version}


def body(draw, known, operation, case, examples):
    """A body: as generated, or a published one with parts of it, with words that members mean.

    The simplest that can be drawn, with which each strategy begins, should succeed.
    """
    generated = case.body
    how = weighted(draw, (3, "published" if examples else "words"), (3, "words"), (2, "generated"))
    if how == "generated":
        return generated
    if how == "published":
        published = copy.deepcopy(draw(st.sampled_from(examples)))
        if isinstance(generated, dict) and draw(st.booleans()):
            published = merged(draw, published, generated)
        generated = published
    return meant(draw, known.body(operation, case.path), generated)


def merged(draw, published, generated):
    """The published body, with some of its members generated and some left out."""
    found = {}
    for key in [*published, *(key for key in generated if key not in published)]:
        ours, theirs = published.get(key), generated.get(key)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            found[key] = merged(draw, ours, theirs)
        elif key not in published:
            found[key] = theirs
        elif draw(st.integers(0, 3)) < 3:
            found[key] = ours
        elif key in generated:
            found[key] = theirs
    return found


def meant(draw, words, value):
    """The same, with members of known names mostly having words that they mean."""
    if isinstance(value, list):
        return [meant(draw, words, of) for of in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, of in value.items():
        if words.get(key) and draw(st.integers(0, 3)) < 3:
            found[key] = copy.deepcopy(draw(st.sampled_from(words[key])))
        else:
            found[key] = meant(draw, words, of)
    return found


@st.composite
def cases(draw, known, operation, made, mode, examples):
    """A request, and whose token it carries."""
    case = draw(made.as_strategy(generation_mode=mode))
    declared = sorted(parameter.name for parameter in made.query)
    case.path_parameters = path_names(draw, known, operation, case)
    case.query = query(draw, known, case, declared)
    if made.body and not isinstance(case.body, bytes):
        case.body = body(draw, known, operation, case, examples)
    if draw(st.integers(0, 7)) == 7:
        name = "If-None-Match" if case.method == "GET" else "If-Match"
        case.headers = {**(case.headers or {}), name: draw(st.sampled_from(MATCHES))}
    own = billing.asked_by(operation)
    others = [who for who in sorted(known.context["clients"]) if who != own]
    return case, weighted(draw, (4, own), (1, draw(st.sampled_from(others))))


def place(known, operation, case, chosen):
    """Gives a case at a border of the description names that are there and the right version."""
    where = case.meta.phase.data.parameter_location
    where = where.value if where else None
    places = known.reached(operation, case)
    if where != "path" and places:
        names = chosen.choice(places).items()
        case.path_parameters = {name: quoted(of) for name, of in names}
    if where != "query":
        case.query = {**(case.query or {}), "api-version": known.version}


def examples(folder, operation):
    """The bodies of an operation's published examples."""
    names = [of["name"] for of in operation.get("parameters", []) if of.get("in") == "body"]
    found = []
    for example in operation.get("x-ms-examples", {}).values() if names else ():
        parameters = json.loads((folder / example["$ref"]).read_text())["parameters"]
        found += [parameters[name] for name in names if name in parameters]
    return found
