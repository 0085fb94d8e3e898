"""Transfers between billing accounts: asked for by an owner, answered by who holds what is wanted.

Only the first version has them. The subscription that was handed over is asked back and comes back,
so that the next client finds it where this one did. A reservation is bought anew when it is handed
over: the next client finds it gone.
"""

import datetime
import json
import time

import billing
import plain
from billing import FIRST, ask

# Each side's view of one transfer.
ASKED, RECEIVED = "Transfers", "RecipientTransfers"
OF_PARTNER = "PartnerTransfers"
# Members that are the same on both sides.
SHARED = ["transferStatus", "creationTime", "expirationTime", "recipientEmailId"]


def time_text(moment):
    """A time as it stands in an address, from a client that has made a moment of it."""
    if isinstance(moment, datetime.datetime):
        return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return moment


def of(name):
    return {"transferName": name}


def members(answer):
    """What is told of a transfer; some clients have it beside nothing else."""
    return answer.get("properties", answer)


def accept(name, products, who="recipient", does="Accept"):
    body = {"properties": {"productDetails": products}}
    return ask(f"{RECEIVED}_{does}", of(name), body=body, who=who)


def products(context):
    """What the recipient holds and can hand over."""
    held = context["accounts"]["recipient"]
    return [
        {"productType": "AzureSubscription", "productId": held["subscription"]},
        {"productType": "AzureReservation", "productId": held["reservation"]},
    ]


def ended(client, name, who):
    """A transfer as its recipient sees it once nothing of it moves any more."""
    until = time.monotonic() + 60
    while True:
        found = client.read(ask(f"{RECEIVED}_Get", of(name), who=who), FIRST)
        if found["properties"]["transferStatus"] != "InProgress":
            return found
        assert time.monotonic() < until, f"what was accepted is moved within a minute: {found}"
        time.sleep(0.2)


def homes(client):
    """Where a transfer would bring things: to the owner's section, and back to the recipient's."""
    account = {"billingAccountName": client.context["accounts"]["recipient"]["billing_account"]}
    names = account
    for lister, member in [
        ("BillingProfiles_ListByBillingAccount", "billingProfileName"),
        ("InvoiceSections_ListByBillingProfile", "invoiceSectionName"),
    ]:
        rows = client.read(ask(lister, names, who="recipient"), FIRST)
        names = names | {member: rows[0]["name"]}
    return billing.names(client)["section"], names


def subscriptions(client, names, who):
    """The ids of the subscriptions that stand at an invoice section."""
    rows = client.read(ask("BillingSubscriptions_ListByInvoiceSection", names, who=who), FIRST)
    return {row["properties"]["subscriptionId"] for row in rows}


def window(client):
    found = client.context["invoice_window"]
    return {"periodStartDate": found["from"], "periodEndDate": found["to"]}


def total(client, names, who):
    """What an account's transactions come to, invoiced and pending, by currency."""
    asked = ask("Transactions_ListByBillingAccount", names, who=who, query=window(client))
    sums = {}
    for row in client.read(asked, FIRST):
        amount = row["properties"]["transactionAmount"]
        sums[amount["currency"]] = sums.get(amount["currency"], 0) + amount["value"]
    return sums


class Transfers:
    """What a client does with transfers; `flows` compares what it is answered."""

    def __init__(self, flows):
        self.flows, self.plain = flows, flows.plain
        self.section = billing.names(self.plain)["section"]
        self.customer = billing.names(self.plain)["profile's customer"]
        self.mail = self.plain.context["clients"]["recipient"]["email"]

    def run(self):
        for about, rule in [
            ("a transfer is declined", self.declined),
            ("a transfer is canceled", self.canceled),
            ("a partner's transfer is canceled", self.partners),
            ("what cannot be handed over", self.invalid),
            ("a transfer is accepted, and what moved comes back", self.accepted),
        ]:
            self.flows.check(about, rule)

    def asks(self, asked, expected):
        """A client's answer, which must be the expected one."""
        [answer] = self.flows.client.answers([asked])
        self.flows.compare(asked, expected, answer)
        return answer

    def reads(self, operation, names, who="owner"):
        """What the client reads, which must be what is read plainly."""
        asked = ask(operation, names, who=who)
        expected = self.plain.read(asked, FIRST)
        self.asks(asked, expected)
        return expected

    def initiated(self, group, names, mail, who="owner", **more):
        """The name of a transfer that the client asked for: the time when it was made."""
        body = {"properties": {"recipientEmailId": mail, **more}}
        initiate = ask(f"{group}_Initiate", names, body=body, who=who)
        [answer] = self.flows.client.answers([initiate])
        name = time_text(members(answer)["creationTime"])
        expected = self.reads(f"{group}_Get", names | of(name), who)
        self.flows.compare(initiate, expected, answer)
        told = expected["properties"]
        assert told["transferStatus"] == "Pending" and told["recipientEmailId"] == mail, told
        assert plain.instant(told["expirationTime"]) > plain.instant(told["creationTime"]), told
        assert expected in self.reads(f"{group}_List", names, who), told
        return name

    def received(self, name, who="recipient", of_whom=()):
        """A transfer as its recipient sees it: nothing of the account that asked is in it."""
        found = self.reads(f"{RECEIVED}_Get", of(name), who)
        assert found in self.reads(f"{RECEIVED}_List", {}, who), found
        text = json.dumps(found, default=str)
        assert not [known for known in of_whom if known in text], found
        return found["properties"]

    def sides(self, name, group=ASKED, names=None):
        """The state that both sides see."""
        names = names or self.section
        ours = self.reads(f"{group}_Get", names | of(name))["properties"]
        theirs = self.received(name, of_whom=names.values())
        for member in SHARED:
            assert ours[member] == theirs[member], (member, ours, theirs)
        return ours

    def declined(self):
        name = self.initiated(ASKED, self.section, self.mail)
        assert self.sides(name)["transferStatus"] == "Pending"
        decline = ask(f"{RECEIVED}_Decline", of(name), who="recipient")
        self.answers_as_read(decline, name)
        assert self.sides(name)["transferStatus"] == "Declined"
        self.flows.refuses(decline, 409, "declined")
        self.flows.refuses(ask(f"{ASKED}_Cancel", self.section | of(name)), 409, "declined")

    def answers_as_read(self, asked, name):
        """What the recipient does is answered with the transfer as it is read afterwards."""
        [answer] = self.flows.client.answers([asked])
        after = self.plain.read(ask(f"{RECEIVED}_Get", of(name), who=asked["who"]), FIRST)
        self.flows.compare(asked, after, answer)

    def canceled(self):
        name = self.initiated(ASKED, self.section, self.mail)
        self.cancels(ASKED, self.section, name)
        told = self.sides(name)
        assert told["transferStatus"] == "Canceled" and told["canceledBy"], told
        self.flows.refuses(accept(name, products(self.plain.context)), 409, "canceled")

    def cancels(self, group, names, name):
        cancel = ask(f"{group}_Cancel", names | of(name))
        [answer] = self.flows.client.answers([cancel])
        after = self.plain.read(ask(f"{group}_Get", names | of(name)), FIRST)
        self.flows.compare(cancel, after, answer)

    def partners(self):
        reseller = self.plain.context["accounts"]["mpa"]["reseller"]
        name = self.initiated(OF_PARTNER, self.customer, self.mail, resellerId=reseller)
        told = self.sides(name, OF_PARTNER, self.customer)
        assert told["resellerId"] == reseller, told
        self.cancels(OF_PARTNER, self.customer, name)
        assert self.sides(name, OF_PARTNER, self.customer)["transferStatus"] == "Canceled"

    def invalid(self):
        """Validation tells it of each; nobody else's transfer is anybody's to answer."""
        name = self.initiated(ASKED, self.section, self.mail)
        foreign = self.plain.context["subscriptions"]["foreign"]
        wanted = [{"productType": "AzureSubscription", "productId": foreign}]
        validate = accept(name, wanted, does="Validate")
        expected = self.plain.read(validate, FIRST)
        self.asks(validate, expected)
        [told] = expected
        assert told["properties"]["status"] == "Failed" and told["properties"]["results"], told
        as_nobody = accept(name, products(self.plain.context), who="nobody")
        self.flows.refuses(as_nobody, 404, "transfer")
        self.cancels(ASKED, self.section, name)

    def accepted(self):
        ours, theirs = homes(self.plain)
        sides = [(ours, "owner"), (theirs, "recipient")]
        account = lambda names: {"billingAccountName": names["billingAccountName"]}
        totals = lambda: [total(self.plain, account(names), who) for names, who in sides]
        before, wanted = totals(), products(self.plain.context)
        mail = self.handed_over(ours, self.mail, ("owner", "recipient"), wanted)
        self.handed_over(theirs, mail, ("recipient", "owner"), wanted[:1])
        after = totals()
        both = lambda sums: {of: sum(one.get(of, 0) for one in sums) for of in sums[0] | sums[1]}
        assert both(after) == both(before), (after, before)
        return f"both accounts come to {both(after)}"

    def handed_over(self, names, mail, who, wanted):
        """What can be had comes to the place of who asks; gives the mail of who asked."""
        asks, answers = who
        name = self.initiated(ASKED, names, mail, asks)
        initiator = self.received(name, answers, names.values())["initiatorEmailId"]
        wanted = self.to_be_had(accept(name, wanted, answers, "Validate"))
        [answer] = self.flows.client.answers([accept(name, wanted, answers)])
        assert members(answer)["transferStatus"] in ("InProgress", "Completed"), answer
        self.flows.asked.add(f"{RECEIVED}_Accept")
        told = ended(self.plain, name, answers)["properties"]
        assert told["transferStatus"] == "Completed", told
        ends = {one["productId"]: one["transferStatus"] for one in told["detailedTransferStatus"]}
        assert ends == {one["productId"]: "Completed" for one in wanted}, told
        again = self.received(name, answers, names.values())
        assert again["transferStatus"] == "Completed", again
        held = self.plain.context["accounts"]["recipient"]["subscription"]
        for place, one in zip(homes(self.plain), ("owner", "recipient")):
            is_there = held in subscriptions(self.plain, place, one)
            assert is_there == (place == names), (place, one, is_there)
        return initiator

    def to_be_had(self, validate):
        """Those of the products of a transfer that can be handed over: its subscription always."""
        expected = self.plain.read(validate, FIRST)
        self.asks(validate, expected)
        wanted = validate["body"]["properties"]["productDetails"]
        told = {one["properties"]["productId"]: one["properties"]["status"] for one in expected}
        assert told.keys() == {one["productId"] for one in wanted}, expected
        assert set(told.values()) <= {"Ready", "Warning", "Failed"}, expected
        found = [one for one in wanted if told[one["productId"]] != "Failed"]
        assert found[:1] == wanted[:1], expected
        return found
