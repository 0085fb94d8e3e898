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
import billing_reads
import servers
from hypothesis import strategies as st

KINDS = servers.ROOT / "tests/azure-billing/kinds.csv"
NOBODYS = ["missing", billing.MISSING, "Über größe", "a b", "x" * 300, "%00", "'--", "null", "-"]
PARTNERS = "MicrosoftPartnerAgreement"
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
        "properties/kind eq 'Reservation'",
        "properties/transactionType eq 'Usage Charge'",
        "properties/billingFrequency eq 'Monthly'",
        "properties/reservedResourceType eq 'VirtualMachines' or location eq 'westus'",
        "name eq",
        "(",
    ],
    "$search": ["a", "Harbour", "", "'"],
    "$skiptoken": ["none", ""],
    "$orderby": ["properties/userFriendlyAppliedScopeType asc", "expiryDate desc", "name up"],
    "periodStartDate": ["2026-08-01", "08-01-2026", "2026-10-01", "2026-02-30", "soon", ""],
    "periodEndDate": ["2026-11-30", "11-30-2026", "2026-09-30", "2026-07-31", "soon", ""],
    "refreshSummary": ["true", "perhaps"],
    "selectedState": ["Succeeded", "Expired", "none"],
    "downloadToken": ["none", ""],
}
# What a right question always has.
WANTED = {"downloadToken", "periodEndDate", "periodStartDate"}
# Where transfers are listed for whom they were sent to, and where online services have theirs.
RECEIVED = "/providers/Microsoft.Billing/transfers"
ONLINE = "/providers/Microsoft.Billing/billingAccounts/default"
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
# What the demo's context has of the account within which things move.
PROFILES = ("billing_profile", "other_billing_profile")
SECTIONS = ("other_invoice_section", "invoice_section")


class Known:
    """Names that the demo has, as its lists tell them to its owner."""

    def __init__(self, context, reader, version):
        self.context, self.reader, self.version = context, reader, version
        served = billing.served(version).values()
        self.lists = {path for verb, path in served if verb == "GET"}
        self.listed, self.pools, self.found, self.kinds = {}, {}, {}, {}
        # Addresses of an invoice's documents; the transfers that nobody has answered.
        self.documents, self.pending = {}, set()
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
        accounts = self.context["accounts"]
        online = accounts["mosp"]
        if template in self.lists:
            found = self.ask(filled(template, place))
            if name == "billingSubscriptionName" and online["billing_account"] in place.values():
                # Its subscriptions stand in no list.
                found = [online["subscription"]]
        elif template == f"{ONLINE}/billingSubscriptions":
            found = [online["subscription"]]
        elif template == f"{ONLINE}/invoices":
            account = quoted(accounts["mca"]["billing_account"])
            found = self.ask(f"{ONLINE.removesuffix('default')}{account}/invoices")
        elif name == "subscriptionId":
            kinds = [of["subscription"] for of in accounts.values() if len(of) > 1]
            found = [*kinds, *self.context["subscriptions"].values()]
        else:
            found = []
        self.pools.setdefault(name, set()).update(found)
        return found

    def ask(self, path):
        """The names of a list; none where the account's kind has no such list."""
        if path not in self.listed:
            query = {"api-version": self.version, **billing_reads.period(self.context, path)}
            url = f"{self.context['base_url']}{path}?{urllib.parse.urlencode(query)}"
            who, names = "recipient" if path == RECEIVED else "owner", []
            while url:
                status, _, answer = self.reader.call(who, "GET", url)
                assert status in (200, 400, 403, 404, 409), (path, status, answer)
                answer = answer if status == 200 else {}
                for row in answer.get("value", []):
                    names.append(billing.name_of(row))
                    self.note(names[-1], row.get("properties", {}))
                url = answer.get("nextLink")
            self.listed[path] = names
        return self.listed[path]

    def note(self, name, properties):
        """What a row tells beside its name."""
        if properties.get("agreementType"):
            self.kinds[name] = properties["agreementType"]
        if properties.get("documents"):
            self.documents[name] = [document["url"] for document in properties["documents"]]
        if properties.get("transferStatus") == "Pending":
            self.pending.add(name)

    def reached(self, operation, case):
        """Places where an operation is served and does what its name says."""
        path, last = case.path, case.path.rsplit("/", 1)[1]
        makes = case.method == "PUT" and last.startswith("{")
        places = self.places(path.rsplit("/", 1)[0] if makes else path)
        answers = self.answers.get(operation, {})
        kind_of = lambda place: self.kinds.get(place.get("billingAccountName"))
        places = [of for of in places if answers.get(kind_of(of), "served") == "served"]
        if "{transferName}" in path and case.method in ("DELETE", "POST"):
            # What was answered cannot be answered again.
            places = [of for of in places if of["transferName"] in self.pending] or places
        elif case.method == "DELETE":
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

    def renew(self):
        """What was made or taken since is asked for again."""
        self.listed, self.found, self.pending = {}, {}, set()

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
        return BODY | self.handed_over() | self.destinations() | {
            "principalId": [of["client_id"] for of in clients] + [billing.MISSING, "nobody"],
            "principalTenantId": [self.context["tenant_id"], billing.MISSING],
            "userEmailAddress": [of["email"] for of in clients if of.get("email")] + ["nobody"],
            "billingRoleDefinitionId": roles + ["none"],
            "roleDefinitionId": roles + ["none"],
            "autoRenew": ["Off", "On"] if self.version == billing.SECOND else ["false", "true"],
        }

    def handed_over(self):
        """Words of transfers: who is asked, and for what."""
        held, partner = self.context["accounts"]["recipient"], self.context["accounts"]["mpa"]
        of = lambda kind, id: {"productType": kind, "productId": id}
        subscription = of("AzureSubscription", held["subscription"])
        reservation = of("AzureReservation", held["reservation"])
        foreign = of("AzureSubscription", self.context["subscriptions"]["foreign"])
        return {
            "productDetails": [[reservation], [subscription, reservation], [foreign], []],
            "recipientEmailId": [self.context["clients"]["recipient"]["email"], "nobody", ""],
            "resellerId": [partner["reseller"], "none"],
        }

    def destinations(self):
        """Where subscriptions and products can be moved, and where they cannot."""
        mca, foreign = self.context["accounts"]["mca"], self.context["accounts"]["foreign"]
        account = f"{ONLINE.removesuffix('default')}{mca['billing_account']}"
        profiles = [f"{account}/billingProfiles/{mca[of]}" for of in PROFILES]
        sections = [f"{profiles[0]}/invoiceSections/{mca[of]}" for of in SECTIONS]
        other = profiles[0].replace(mca["billing_account"], foreign["billing_account"])
        return {
            # Mostly those that agree: things move where both lead to the same.
            "destinationBillingProfileId": profiles[:1] * 4 + [profiles[1], other, "none"],
            "destinationInvoiceSectionId": sections * 3 + [f"{other}/invoiceSections/none", "none"],
        }

    def urls(self, case):
        """Addresses of documents of the invoices at a place; of any, where there are none."""
        at = {name: urllib.parse.unquote(of) for name, of in (case.path_parameters or {}).items()}
        path = filled(case.path.rsplit("/", 1)[0], at)
        if path.startswith(ONLINE):
            online = self.context["accounts"]["mosp"]["billing_account"]
            path = f"{ONLINE.removesuffix('default')}{quoted(online)}"
        named = self.ask(f"{path}/invoices")
        found = [self.documents[name] for name in named if name in self.documents]
        return [urls[0] for urls in found or self.documents.values()]


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
        words = QUERY | tokens(known, case)
        is_there = lambda name: draw(st.integers(0, 7)) > (0 if name in WANTED else 3)
        found = {name: draw(st.sampled_from(words[name])) for name in names if is_there(name)}
    version = weighted(draw, (12, known.version), (1, "other"), (1, None))
    if version == "other":
        version = draw(st.sampled_from(OTHER_VERSIONS))
    return found if version is None else found | {"api-version": version}


def tokens(known, case):
    """What a document of the invoice of a path is downloaded by."""
    name = urllib.parse.unquote((case.path_parameters or {}).get("invoiceName", ""))
    queries = [urllib.parse.urlsplit(url).query for url in known.documents.get(name, [])]
    words = [urllib.parse.parse_qs(query) for query in queries]
    own = [token for of in words for token in of.get("downloadToken", [])]
    return {"downloadToken": own * 4 + QUERY["downloadToken"]}


def body(draw, known, operation, case, examples):
    """A body: as generated, or a published one with parts of it, with words that members mean.

    The simplest that can be drawn, with which each strategy begins, should succeed.
    """
    generated = case.body
    how = weighted(draw, (3, "published" if examples else "words"), (3, "words"), (2, "generated"))
    if how == "generated":
        return generated
    if operation.endswith(("_Move", "_Transfer")) and draw(st.integers(0, 3)) < 3:
        section = known.destinations()["destinationInvoiceSectionId"][:2]
        return {"destinationInvoiceSectionId": draw(st.sampled_from(section))}
    if operation.startswith("Invoices_DownloadMultiple"):
        urls = known.urls(case)
        many = draw(st.lists(st.sampled_from(urls), min_size=1, max_size=3)) if urls else []
        return many + draw(st.sampled_from([[], [], [], ["none"]]))
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
    """Gives a case at a border of the description names that are there and the right version; says
    whose token it carries."""
    where = case.meta.phase.data.parameter_location
    where = where.value if where else None
    places = known.reached(operation, case)
    if where != "path" and places:
        names = chosen.choice(places).items()
        case.path_parameters = {name: quoted(of) for name, of in names}
    if where != "query":
        words = QUERY | tokens(known, case)
        wanted = {name: words[name][0] for name in case.query or {} if name in WANTED}
        case.query = {**(case.query or {}), **wanted, "api-version": known.version}
    return billing.asked_by(operation)


def examples(folder, operation):
    """The bodies of an operation's published examples."""
    names = [of["name"] for of in operation.get("parameters", []) if of.get("in") == "body"]
    found = []
    for example in operation.get("x-ms-examples", {}).values() if names else ():
        parameters = json.loads((folder / example["$ref"]).read_text())["parameters"]
        found += [parameters[name] for name in names if name in parameters]
    return found
