"""What is asked of Azure Billing, and what a plain client is answered.

An ask is an operation of the contract with the names that its path has, the same for each client.
Names of asks that the demo's company has; those that a client makes begin with the client's own.
"""

import re
import time
import urllib.parse

import plain
import servers

FIRST, SECOND = "2019-10-01-preview", "2020-05-01"
LISTS = servers.ROOT / "surfaces/azure-billing"
ADDRESS = {
    "firstName": "Ida",
    "lastName": "Quay",
    "companyName": "Harbourlight Retail",
    "addressLine1": "410 Quay Street",
    "city": "Springfield",
    "region": "IL",
    "country": "US",
    "postalCode": "62701",
}
NO_ADDRESS = {"addressLine1": "410 Quay Street", "country": "US", "postalCode": "none"}
# What each version calls the same.
ADDRESS_OF_ACCOUNT = {FIRST: "address", SECOND: "soldTo"}
ADDRESS_OF_PROFILE = {FIRST: "address", SECOND: "billTo"}
EXPANDS = {
    "BillingProfiles_ListByBillingAccount": ["invoiceSections"],
    "BillingProfiles_Get": ["invoiceSections"],
    "Customers_Get": ["enabledAzurePlans", "resellers", "enabledAzurePlans,resellers"],
    "Agreements_ListByBillingAccount": ["participants"],
    "Agreements_Get": ["participants"],
    "Departments_ListByBillingAccountName": ["properties/enrollmentAccounts"],
    "Departments_Get": ["properties/enrollmentAccounts"],
    "EnrollmentAccounts_ListByBillingAccountName": ["properties/department"],
    "EnrollmentAccounts_GetByEnrollmentAccountId": ["properties/department"],
}
OF_ACCOUNTS = [
    "billingProfiles",
    "billingProfiles/invoiceSections",
    "invoiceSections",
    "properties/enrollmentDetails",
    "properties/departments",
    "properties/enrollmentAccounts",
    "properties/enrollmentDetails, properties/departments",
]


def served(version, listed="operations.txt"):
    """Each operation of a version with its verb and its path."""
    rows = (line.split() for line in (LISTS / listed).read_text().splitlines())
    return {id: (verb, path) for of, verb, path, id in rows if of == version}


def asked_by(operation):
    """Who asks where nobody is named: transfers are answered by whom they were sent to."""
    return "recipient" if operation.startswith("RecipientTransfers_") else "owner"


def ask(operation, names=None, expand=None, body=None, who=None, query=None):
    """`query` has what the operation wants in its address, in the contract's order."""
    asked = {"operation": operation, "names": names or {}, "query": query or {}}
    return asked | {"expand": expand, "body": body, "who": who or asked_by(operation)}


class Plain:
    """A client that knows nothing but addresses and JSON."""

    def __init__(self, context):
        self.context, self.reader = context, plain.Reader(context)
        self.operations = {version: served(version) for version in (FIRST, SECOND)}
        # Operations that were answered with 202, and those that were answered on several pages.
        self.accepted, self.paged = set(), set()

    def answer(self, asked, version=SECOND):
        """Status and answer: the whole list, the resource at the end of what takes its time."""
        verb, path = self.operations[version][asked["operation"]]
        for name, value in asked["names"].items():
            path = path.replace("{%s}" % name, urllib.parse.quote(value, safe=":"))
        assert "{" not in path, path
        query = {"api-version": version, **asked["query"]}
        query |= {"$expand": asked["expand"]} if asked["expand"] else {}
        url = f"{self.context['base_url']}{path}?{urllib.parse.urlencode(query)}"
        status, headers, answer = self.reader.call(asked["who"], verb, url, asked["body"])
        if status == 202:
            self.accepted.add(asked["operation"])
            return self.polled(asked["who"], headers)
        if status in (200, 201) and isinstance(answer, dict) and "value" in answer:
            return status, self.whole(asked, answer)
        return status, answer

    def polled(self, who, headers):
        """First by the status, if there is one, then by the result."""
        status_link, until = headers["Azure-AsyncOperation"], time.monotonic() + 60
        while status_link:
            status, again, answer = self.reader.call(who, "GET", status_link)
            assert status == 200, (status, answer)
            if answer["status"] != "InProgress":
                break
            wait(again, until)
        assert not status_link or answer["status"] == "Succeeded", answer
        while True:
            status, again, answer = self.reader.call(who, "GET", headers["Location"])
            if status != 202:
                return status, answer
            wait(again, until)

    def whole(self, asked, page):
        rows = page["value"]
        while page.get("nextLink"):
            self.paged.add(asked["operation"])
            status, _, page = self.reader.call(asked["who"], "GET", page["nextLink"])
            assert status == 200, (status, page)
            rows = rows + page["value"]
        return rows

    def read(self, asked, version=SECOND):
        status, answer = self.answer(asked, version)
        assert status in (200, 201), (asked, status, answer)
        return answer


def wait(headers, until):
    assert time.monotonic() < until, "what takes its time ends within a minute"
    time.sleep(int(headers["Retry-After"]))


def names(client):
    """The names that paths have, by the place that they lead to."""
    accounts = client.context["accounts"]
    mca, ea, mpa = accounts["mca"], accounts["ea"], accounts["mpa"]
    account = {"billingAccountName": mca["billing_account"]}
    profile = account | {"billingProfileName": mca["billing_profile"]}
    section = profile | {"invoiceSectionName": mca["invoice_section"]}
    partner = {"billingAccountName": mpa["billing_account"]}
    dollars = partner | {"billingProfileName": mpa["billing_profile"]}
    enrollment = {"billingAccountName": ea["billing_account"]}
    return {
        "account": account,
        "profile": profile,
        "section": section,
        "other profile": account | {"billingProfileName": mca["other_billing_profile"]},
        "other section": profile | {"invoiceSectionName": mca["other_invoice_section"]},
        "partner": partner,
        "partner profile": dollars,
        "customer": partner | {"customerName": mpa["customer"]},
        "profile's customer": dollars | {"customerName": mpa["customer"]},
        "enrollment": enrollment,
        "department": enrollment | {"departmentName": ea["department"]},
        "enrollment account": enrollment | {"enrollmentAccountName": ea["enrollment_account"]},
        "online": {"billingAccountName": accounts["mosp"]["billing_account"]},
        "subscription": {"subscriptionId": mca["subscription"]},
        "nowhere": {},
    }


def place_of(operation, path):
    """Whose names a path has: the place it leads to, of a kind that has the operation."""
    group = operation.split("_")[0]
    if "/subscriptions/{subscriptionId}/" in path:
        return "subscription"
    # Only online services have invoices of a subscription.
    if re.search(r"/billingSubscriptions/\{\w+\}/(invoices|downloadDocuments)", path):
        return "online"
    if group == "PartnerTransfers":
        return "profile's customer"
    if group == "Customers" and "{billingProfileName}" in path:
        return "partner profile"
    if group == "Customers" and "{customerName}" not in path:
        return "partner"
    for name, place in [
        ("{invoiceSectionName}", "section"),
        ("{customerName}", "customer"),
        ("{departmentName}", "department"),
        ("{enrollmentAccountName}", "enrollment account"),
        ("/departments", "enrollment"),
        ("/enrollmentAccounts", "enrollment"),
        ("{billingProfileName}", "profile"),
        ("{billingAccountName}", "account"),
    ]:
        if name in path:
            return place
    return "nowhere"


def name_of(row):
    """Transfers are told without a name: the time when one was made stands for it."""
    return row["name"] if "name" in row else row["properties"]["creationTime"]


# What clients of the second version send for billing periods and enrollment accounts.
ALIASES = "2018-03-01-preview"


def aliases(client):
    """Each operation that clients of the second version ask for in a version before."""
    client.operations[ALIASES] = served(ALIASES, "aliases.txt")
    subscription = names(client)["subscription"]
    asks = []
    for lister, getter, own, member in [
        ("BillingPeriods_List", "BillingPeriods_Get", subscription, "billingPeriodName"),
        ("EnrollmentAccounts_List", "EnrollmentAccounts_Get", {}, "name"),
    ]:
        rows = client.read(ask(lister, own), ALIASES)
        assert rows, f"{lister} has something to get"
        asks += [ask(lister, own), ask(getter, own | {member: rows[0]["name"]})]
    assert {asked["operation"] for asked in asks} == set(client.operations[ALIASES])
    return asks


def refusals(client, version):
    """What is refused: an ask, the status, and words of the message."""
    known = names(client)
    put = "BillingProfiles_CreateOrUpdate" if version == SECOND else "BillingProfiles_Update"
    body = {"properties": {"displayName": "Refused"}}
    address = {"properties": {ADDRESS_OF_ACCOUNT[version]: ADDRESS}}
    mosp = {"billingAccountName": client.context["accounts"]["mosp"]["billing_account"]}
    of_kind = lambda kind: f"agreement type `{kind}`"
    reader, policy = "billing_reader", {"properties": {"viewCharges": "Allowed"}}
    instruction = known["profile"] | {"instructionName": "refused"}
    sent = {"amount": 1, "startDate": "2027-01-01T00:00:00Z", "endDate": "2027-02-01T00:00:00Z"}
    return [
        (ask(put, known["profile"], body=body, who=reader), 403, "is not allowed here"),
        (
            ask("BillingAccounts_Update", known["account"], body=address, who=reader),
            403,
            "is not allowed here",
        ),
        (
            ask("Policies_Update", known["profile"], body=policy, who=reader),
            403,
            "is not allowed here",
        ),
        (
            ask("Instructions_Put", instruction, body={"properties": sent}, who=reader),
            403,
            "is not allowed here",
        ),
        (
            ask("Customers_ListByBillingAccount", known["account"]),
            400,
            of_kind("MicrosoftCustomerAgreement"),
        ),
        (
            ask("BillingProfiles_ListByBillingAccount", known["enrollment"]),
            400,
            of_kind("EnterpriseAgreement"),
        ),
        (
            ask("BillingProfiles_ListByBillingAccount", mosp),
            400,
            of_kind("MicrosoftOnlineServicesProgram"),
        ),
        (
            ask("Agreements_ListByBillingAccount", known["partner"]),
            400,
            of_kind("MicrosoftPartnerAgreement"),
        ),
    ]


# A billing account that nobody has.
MISSING = "00000000-0000-4000-8000-000000000000"


def unseen(client, version):
    """Pairs of asks that must be refused alike: a foreign account's and a missing one's."""
    foreign = client.context["accounts"]["foreign"]["billing_account"]
    change = {"properties": {ADDRESS_OF_ACCOUNT[version]: ADDRESS}}
    rows = [
        ("BillingAccounts_Get", None),
        ("BillingAccounts_Update", change),
        ("BillingProfiles_ListByBillingAccount", None),
        # Of a wrong kind, if it were there.
        ("Customers_ListByBillingAccount", None),
    ]
    both = [{"billingAccountName": of} for of in (foreign, MISSING)]
    return [[ask(operation, of, body=body) for of in both] for operation, body in rows]


def alike(foreign, missing, pair):
    """Fails unless two refusals are the same but for the account's name."""
    (status, code, message), (other_status, other_code, other_message) = foreign, missing
    of, other = (one["names"]["billingAccountName"] for one in pair)
    assert status == other_status == 404, (foreign, missing)
    assert code == other_code, (foreign, missing)
    assert message.replace(of, "…") == other_message.replace(other, "…"), (foreign, missing)


def writes(client, own):
    """Changes as 2020-05-01 spells them; what a client makes is called by its `own` name."""
    known = names(client)
    account, profile = known["account"], known["profile"]
    made = account | {"billingProfileName": f"{own}-profile"}
    section = made | {"invoiceSectionName": f"{own}-section"}
    instruction = {"amount": 5000.5, "startDate": "2027-01-01T00:00:00Z"}
    instruction |= {"endDate": "2027-06-01T00:00:00Z"}
    rows = [
        ("BillingProfiles_CreateOrUpdate", made, {
            "displayName": f"Made by {own}",
            "poNumber": "first",
            "billTo": ADDRESS,
            "tags": {"made": own},
        }),
        ("BillingProfiles_CreateOrUpdate", made, {"poNumber": "second"}),
        ("InvoiceSections_CreateOrUpdate", section, {
            "displayName": f"Section of {own}",
            "labels": {"made": own},
        }),
        ("InvoiceSections_CreateOrUpdate", section, {"displayName": f"Renamed by {own}"}),
        ("Instructions_Put", profile | {"instructionName": f"{own}-part"}, instruction),
        ("Policies_Update", profile, {
            "marketplacePurchases": "OnlyFreeAllowed",
            "reservationPurchases": "NotAllowed",
            "viewCharges": "NotAllowed",
        }),
        ("Policies_Update", profile, {
            "marketplacePurchases": "AllAllowed",
            "reservationPurchases": "Allowed",
            "viewCharges": "Allowed",
        }),
        ("Policies_UpdateCustomer", known["customer"], {"viewCharges": "Allowed"}),
        ("Policies_UpdateCustomer", known["customer"], {"viewCharges": "NotAllowed"}),
        ("BillingAccounts_Update", account, {
            "displayName": f"Renamed by {own}",
            "soldTo": ADDRESS,
        }),
        ("BillingProperty_Update", known["subscription"], {"costCenter": f"centre of {own}"}),
    ]
    return [ask(operation, of, body={"properties": body}) for operation, of, body in rows]


def first_writes(client, own):
    """Changes as 2019-10-01-preview spells them."""
    known = names(client)
    account, profile = known["account"], known["profile"]
    made = account | {"billingProfileName": f"{own}-profile"}
    section = made | {"invoiceSectionName": f"{own}-section"}
    wrapped = lambda **properties: {"properties": properties}
    instruction = {"amount": 5000.5, "startDate": "2027-01-01T00:00:00Z"}
    instruction |= {"endDate": "2027-06-01T00:00:00Z"}
    rows = [
        ("BillingProfiles_Create", made, {"displayName": f"Made by {own}", "address": ADDRESS}),
        ("BillingProfiles_Update", made, wrapped(displayName=f"Renamed by {own}", poNumber="2")),
        ("InvoiceSections_Create", section, {"displayName": f"Section of {own}"}),
        ("InvoiceSections_Update", section, wrapped(displayName=f"Renamed by {own}")),
        ("Instructions_Put", profile | {"instructionName": f"{own}-part"}, wrapped(**instruction)),
        ("Policies_Update", profile, wrapped(viewCharges="NotAllowed")),
        ("Policies_Update", profile, wrapped(viewCharges="Allowed")),
        ("Policies_UpdateCustomer", known["customer"], wrapped(viewCharges="Allowed")),
        ("Policies_UpdateCustomer", known["customer"], wrapped(viewCharges="NotAllowed")),
        ("BillingAccounts_Update", account, wrapped(address=ADDRESS)),
    ]
    return [ask(operation, of, body=body) for operation, of, body in rows]


# What a change's answer is compared with: the operation that reads the same resource.
READ_AFTER = {
    "BillingProfiles_Create": "BillingProfiles_Get",
    "BillingProfiles_Update": "BillingProfiles_Get",
    "InvoiceSections_Create": "InvoiceSections_Get",
    "InvoiceSections_Update": "InvoiceSections_Get",
    "BillingProfiles_CreateOrUpdate": "BillingProfiles_Get",
    "InvoiceSections_CreateOrUpdate": "InvoiceSections_Get",
    "Instructions_Put": "Instructions_Get",
    "Policies_Update": "Policies_GetByBillingProfile",
    "Policies_UpdateCustomer": "Policies_GetByCustomer",
    "BillingAccounts_Update": "BillingAccounts_Get",
    "BillingProperty_Update": "BillingProperty_Get",
}

ADDRESSES = [
    (ask("Address_Validate", body=ADDRESS), "Valid"),
    (ask("Address_Validate", body=NO_ADDRESS), "Invalid"),
]

# Roles are given in the first version only; the second lists and takes them.
PLACES = {
    "account": ("BillingAccount", "50000000-aaaa-bbbb-cccc-100000000002"),
    "profile": ("BillingProfile", "40000000-aaaa-bbbb-cccc-100000000002"),
    "section": ("InvoiceSection", "30000000-aaaa-bbbb-cccc-100000000002"),
}


def role_for(client, place, who):
    """The ask that gives a reader's role."""
    by, definition = PLACES[place]
    principal = client.context["clients"][who]["client_id"]
    body = {"principalId": principal, "billingRoleDefinitionId": definition}
    return ask(f"BillingRoleAssignments_AddBy{by}", names(client)[place], body=body)


def role_at(client, place, name):
    """The asks that get and take a role that was given."""
    by, _ = PLACES[place]
    own = names(client)[place] | {"billingRoleAssignmentName": name}
    does = lambda what: ask(f"BillingRoleAssignments_{what}By{by}", own)
    return does("Get"), does("Delete")


def given_role(client, place):
    """Gives a reader's role plainly: the asks that get and take it in either version.

    The last role at a place cannot be taken, so another client is given the same one before.
    """
    for who in ("contributor", "nobody"):
        asked = role_for(client, place, who)
        status, answer = client.answer(asked, FIRST)
        assert status == 201 or (who == "contributor" and status == 409), (asked, status, answer)
    return role_at(client, place, answer[0]["name"])


# Roles of enterprise agreements and who gets them: first those that stay.
ENTERPRISE_PLACES = {
    "department": [
        ("contributor", "db609904-a47f-4794-9be8-9bd86fbffd8a"),
        ("nobody", "db609904-a47f-4794-9be8-9bd86fbffd8a"),
    ],
    # Only an account's owner lets others make subscriptions.
    "enrollment account": [
        ("owner", "c15c22c0-9faf-424c-9b7e-bd91c06a240b"),
        ("nobody", "a0bcee42-bf30-4d1b-926a-48d21664ef71"),
    ],
    "enrollment": [("reader", "24f8edb6-1668-4659-b5e2-40bb5f3a7d7e")],
}
ENTERPRISE_PUTS = {
    "department": ("EnrollmentDepartmentRoleAssignments_Put", "Department"),
    "enrollment account": ("EnrollmentAccountRoleAssignments_Put", "EnrollmentAccount"),
    "enrollment": ("RoleAssignments_Put", "BillingAccount"),
}


def enterprise_role(client, place, who, definition):
    """The asks that put a role under a new name, and, by the name it has, get it and take it."""
    put, by = ENTERPRISE_PUTS[place]
    own = names(client)[place]
    principal = client.context["clients"][who]["client_id"]
    properties = {"principalId": principal, "roleDefinitionId": definition}
    properties |= {"principalTenantId": client.context["tenant_id"]}
    new = own | {"billingRoleAssignmentName": "7d6e3a10-0000-4000-8000-000000000001"}
    held = own | {"billingRoleAssignmentName": f"{definition}_{principal}"}
    does = lambda what: ask(f"BillingRoleAssignments_{what}By{by}", held)
    return ask(put, new, body={"properties": properties}), does("Get"), does("Delete")


def holds(sent, read, place):
    """Fails unless a resource has everything that was sent."""
    if isinstance(sent, dict):
        for key, value in sent.items():
            holds(value, (read or {}).get(key), f"{place}.{key}")
    elif isinstance(sent, float):
        assert float(read) == sent, (place, sent, read)
    elif isinstance(sent, str) and plain.INSTANT.match(sent):
        assert plain.instant(sent) == plain.instant(read), (place, sent, read)
    else:
        assert sent == read, (place, sent, read)
