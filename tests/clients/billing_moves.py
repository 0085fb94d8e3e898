"""Moves between invoice sections, as every client asks for them, and what else holdings let change.

Whatever is moved comes back, so that the next client finds the company as this one did.
"""

import time

import billing
from billing import FIRST, SECOND, ask

# The member of a validation that says whether something can be moved.
ELIGIBLE = {FIRST: "isTransferEligible", SECOND: "isMoveEligible"}
MOVE = {FIRST: "Transfer", SECOND: "Move"}
# What the name of a holding is called in a path.
NAME = {
    (FIRST, "BillingSubscriptions"): "billingSubscriptionName",
    (SECOND, "BillingSubscriptions"): "subscriptionId",
    (FIRST, "Products"): "productName",
    (SECOND, "Products"): "productName",
}
HELD = {"BillingSubscriptions": "subscription", "Products": "product"}
# What tells where a holding stands; everything else of it outlives a move.
STANDS = {"invoiceSectionId", "invoiceSectionDisplayName"}


def section_id(names):
    account, profile, section = names.values()
    place = f"/providers/Microsoft.Billing/billingAccounts/{account}/billingProfiles/{profile}"
    return f"{place}/invoiceSections/{section}"


def holding(client, version, group, section):
    """The names of a subscription or product that stands at a section."""
    held = client.context["accounts"]["mca"][HELD[group]]
    above = section if version == FIRST else billing.names(client)["account"]
    return above | {NAME[version, group]: held}


def get(client, version, group, section):
    return ask(f"{group}_Get", holding(client, version, group, section))


def move(client, version, group, way):
    """The asks that validate a move, from a section to another, and that make it."""
    source, destination = way
    names = holding(client, version, group, source)
    body = {"destinationInvoiceSectionId": section_id(destination)}
    does = lambda what: ask(f"{group}_{what}{MOVE[version]}", names, body=body)
    return does("Validate"), does("")


def moved(client, version, group, section):
    """What a holding is once it stands at a section; it is moved behind the answer."""
    asked, until = get(client, version, group, section), time.monotonic() + 60
    while True:
        status, found = client.answer(asked, version)
        properties = found.get("properties", {})
        if status == 200 and properties["invoiceSectionId"].lower() == section_id(section).lower():
            return found
        assert time.monotonic() < until, f"{group} is moved within a minute: {status} {found}"
        time.sleep(0.2)


def but_for(resource, members):
    return {name: one for name, one in resource["properties"].items() if name not in members}


class Moves:
    """What a client of either version does to holdings; `flows` compares what it is answered."""

    def __init__(self, flows):
        self.flows, self.plain, self.version = flows, flows.plain, flows.version
        known = billing.names(self.plain)
        self.here, self.there = known["section"], known["other section"]

    def run(self):
        for group in HELD:
            about = f"{group} move and come back"
            self.flows.check(about, lambda: self.moves(group))
            about = f"{group} do not move to another account"
            self.flows.check(about, lambda: self.stays(group))
        if self.version == SECOND:
            self.flows.check("cost centre of a subscription", self.cost_center)
            self.flows.check("auto renewal of a product", self.renewal)
        else:
            self.flows.check("auto renewal of a product", self.renewal_of_first)

    def asks(self, asked, expected):
        """A client's answer, which must be the expected one."""
        [answer] = self.flows.client.answers([asked])
        self.flows.compare(asked, expected, answer)
        return answer

    def moves(self, group):
        before = self.plain.read(get(self.plain, self.version, group, self.here), self.version)
        charged = self.charges()
        self.moves_to(group, (self.here, self.there))
        assert self.charges() == charged, "no figure changes when a subscription is moved"
        self.moves_to(group, (self.there, self.here))
        after = self.plain.read(get(self.plain, self.version, group, self.here), self.version)
        assert after == before, (after, before)
        return f"{len(charged)} subscriptions cost what they did"

    def moves_to(self, group, way):
        source, destination = way
        before = self.plain.read(get(self.plain, self.version, group, source), self.version)
        validate, begin = move(self.plain, self.version, group, way)
        expected = self.plain.read(validate, self.version)
        assert expected == {ELIGIBLE[self.version]: True}, expected
        self.asks(validate, expected)
        [answer] = self.flows.client.answers([begin])
        after = moved(self.plain, self.version, group, destination)
        self.told(begin, after, answer)
        assert but_for(after, STANDS) == but_for(before, STANDS), (after, before)
        if self.version == FIRST:
            status, _ = self.plain.answer(get(self.plain, FIRST, group, source), FIRST)
            assert status == 404, f"{group} stand at one section: {status}"

    def told(self, begin, after, answer):
        """What a move ends with; clients do not wait for that of a product, as nothing declares it
        to take its time."""
        if begin["operation"] == "BillingSubscriptions_Transfer":
            after = {"properties": {"billingSubscriptionName": after["name"]}}
        is_told = answer and (answer.get("name") or answer.get("properties"))
        if is_told or begin["operation"].startswith("BillingSubscriptions"):
            self.flows.compare(begin, after, answer)
        else:
            self.flows.asked.add(begin["operation"])

    def charges(self):
        """What each subscription of the account costs."""
        account = billing.names(self.plain)["account"]
        asked = ask("BillingSubscriptions_ListByBillingAccount", account)
        members = ("monthToDateCharges", "lastMonthCharges")
        rows = self.plain.read(asked, self.version)
        return {
            row["name"]: [row["properties"].get(member) for member in members] for row in rows
        }

    def stays(self, group):
        foreign = self.plain.context["accounts"]["foreign"]["billing_account"]
        names = dict(zip(self.there, [foreign, "none", "none"]))
        validate, begin = move(self.plain, self.version, group, (self.here, names))
        expected = self.plain.read(validate, self.version)
        code = expected.get("errorDetails", {}).get("code")
        assert code == "CrossBillingAccountNotAllowed", expected
        assert expected[ELIGIBLE[self.version]] is False, expected
        self.asks(validate, expected)
        status, answer = self.plain.answer(begin, self.version)
        assert status >= 400, (status, answer)
        self.flows.refuses(begin, status, answer["error"]["message"])

    def cost_center(self):
        """It is the same that the subscription's property has."""
        names = holding(self.plain, SECOND, "BillingSubscriptions", self.here)
        before = self.plain.read(ask("BillingSubscriptions_Get", names))["properties"]
        for center in (f"centre of {self.flows.own}", before.get("costCenter")):
            body = {"properties": {"costCenter": center}}
            update = ask("BillingSubscriptions_Update", names, body=body)
            [answer] = self.flows.client.answers([update])
            after = self.plain.read(ask("BillingSubscriptions_Get", names))
            self.flows.compare(update, after, answer)
            property = ask("BillingProperty_Get", {"subscriptionId": names["subscriptionId"]})
            told = self.plain.read(property)["properties"]["costCenter"]
            assert after["properties"]["costCenter"] == told == center, (after, told)

    def renewal(self):
        names = holding(self.plain, SECOND, "Products", self.here)
        for renew in ("Off", "On"):
            update = ask("Products_Update", names, body={"properties": {"autoRenew": renew}})
            [answer] = self.flows.client.answers([update])
            after = self.plain.read(ask("Products_Get", names))
            self.flows.compare(update, after, answer)
            assert after["properties"]["autoRenew"] == renew, after

    def renewal_of_first(self):
        """The first version tells when a product ends; the second, whether it is renewed then."""
        operation = "Products_UpdateAutoRenewByInvoiceSection"
        names = holding(self.plain, FIRST, "Products", self.here)
        second = ask("Products_Get", holding(self.plain, SECOND, "Products", self.here))
        for renew, told in (("false", "Off"), ("true", "On")):
            update = ask(operation, names, body={"autoRenew": renew})
            [answer] = self.flows.client.answers([update])
            after = self.plain.read(second)["properties"]
            self.flows.compare(update, {"properties": {"endDate": after["endDate"]}}, answer)
            assert after["autoRenew"] == told, after
