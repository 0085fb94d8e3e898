"""Each operation of Azure Billing that reads, with the names and the dates that it wants."""

import re

import billing
from billing import ask

# Names of a path that are found in a list. Roles below the account are given and read apart.
LISTED = {
    "agreementName": "Agreements_ListByBillingAccount",
    "instructionName": "Instructions_ListByBillingProfile",
    "billingRoleDefinitionName": "BillingRoleDefinitions_ListBy",
    "transactionName": "Transactions_ListByBillingProfile",
}
# Invoices are listed where they are got.
INVOICES = {
    "account": "Invoices_ListByBillingAccount",
    "profile": "Invoices_ListByBillingProfile",
    "online": "Invoices_ListByBillingSubscription",
    "nowhere": "Invoices_ListByBillingAccount",
}
# Names of a path that the demo's context has, by its account.
HELD = {
    "billingSubscriptionName": "subscription",
    "productName": "product",
    "subscriptionId": "subscription",
    "transferName": "transfer",
}
HOLDER = {
    "customer": "mpa",
    "nowhere": "recipient",
    "online": "mosp",
    "partner": "mpa",
    "partner profile": "mpa",
    "profile's customer": "mpa",
}
# What has a place of its own by its path, and is asked of another account too.
MORE = [
    ("Invoices_ListByBillingAccount", "online"),
    ("Invoices_ListByBillingAccount", "partner"),
    ("Invoices_ListByBillingProfile", "partner profile"),
    ("Products_ListByBillingAccount", "partner"),
    ("Products_ListByBillingProfile", "partner profile"),
    ("Reservations_ListByBillingAccount", "partner"),
    ("Reservations_ListByBillingProfile", "other profile"),
    ("Transactions_ListByBillingAccount", "partner"),
    ("Transactions_ListByBillingProfile", "partner profile"),
]


def period(context, path):
    """The days that invoices or transactions are asked for; nothing for other lists."""
    lists = path.endswith(("/invoices", "/transactions", "/{transactionName}"))
    if not lists or "/{invoiceName}" in path:
        return {}
    window = context["invoice_window"]
    return {"periodStartDate": window["from"], "periodEndDate": window["to"]}


def placed(client, version, operation, place=None, **more):
    """An ask of an operation with the names of a place, else of the one that its path leads to."""
    _, path = client.operations[version][operation]
    place = place or billing.place_of(operation, path)
    members = re.findall(r"\{(\w+)\}", path)
    known = billing.names(client)[place] | more
    wanted = [name for name in members if name not in known]
    known |= found(client, version, operation, place, wanted)
    names = {name: known[name] for name in members}
    return ask(operation, names, query=period(client.context, path))


def found(client, version, operation, place, wanted):
    """Names of a path that its place has not."""
    held = client.context["accounts"][HOLDER.get(place, "mca")]
    names = {name: held[HELD[name]] for name in wanted if name in HELD}
    for name in wanted:
        lister = INVOICES[place] if name == "invoiceName" else LISTED.get(name)
        if lister:
            lister += operation.split("_GetBy")[-1] if lister.endswith("ListBy") else ""
            of = "account" if place == "nowhere" else place
            rows = client.read(placed(client, version, lister, of), version)
            assert rows, f"{lister} has something to get"
            names[name] = rows[0]["name"]
    return names


def reads(client, version):
    """Each operation of a version that reads, once plainly and once with each `$expand`."""
    asks = []
    for operation, (verb, path) in client.operations[version].items():
        lists_by_post = operation.startswith("BillingAccounts_List")
        if (verb != "GET" and not lists_by_post) or "{billingRoleAssignmentName}" in path:
            continue
        asked = placed(client, version, operation)
        expands = [None, *billing.EXPANDS.get(operation, [])]
        asks += [asked | {"expand": expand} for expand in expands]
    for operation, place in MORE:
        if operation in client.operations[version]:
            asks.append(placed(client, version, operation, place))
    known = billing.names(client)
    for expand in [billing.ADDRESS_OF_ACCOUNT[version], *billing.OF_ACCOUNTS]:
        asks.append(ask("BillingAccounts_List", {}, expand))
        for place in ("account", "partner", "enrollment"):
            asks.append(ask("BillingAccounts_Get", known[place], expand))
    return asks


def in_second(asked):
    """The same of the second version, which calls a subscription otherwise."""
    names, expand = asked["names"], asked["expand"]
    if "billingSubscriptionName" in names:
        names = names | {"subscriptionId": names["billingSubscriptionName"]}
    return asked | {"names": names, "expand": "soldTo" if expand == "address" else expand}
