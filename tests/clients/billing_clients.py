"""Every client of Azure Billing against a plain one, and the plain one through both versions."""

import json
import os

import billing
import node_client
import plain
import servers
from billing import FIRST, SECOND, ask


class Flows:
    """What one client is asked, and whether the answers are those of a plain client."""

    def __init__(self, tally, own, client, to_client):
        """`client` answers as `to_client` makes it of a plain answer; `own` is how it is called."""
        self.tally, self.own, self.client, self.to_client = tally, own, client, to_client
        self.plain, self.asked = billing.Plain(client.context), set()

    def check(self, what, rule):
        self.tally.check(f"demo: {self.own}, {what}", rule)

    def run(self):
        self.check("reads", self.reads)
        self.check("addresses", self.addresses)
        for asked in billing.writes(self.plain, self.own):
            self.check(asked["operation"], lambda: self.writes(asked))
        self.check("a profile that was read is sent back", self.sends_back)
        for place in billing.PLACES:
            self.check(f"roles of the {place}", lambda: self.roles(place))
        for asked, status, words in billing.refusals(self.plain, SECOND):
            about = f"{asked['operation']} is refused with {status}"
            self.check(about, lambda: self.refuses(asked, status, words))
        self.check("a foreign account and none are one", self.foreign_is_missing)
        self.check("every operation that is served", self.everything)

    def compare(self, asked, expected, read):
        expected = self.to_client(expected)
        plain.same(expected, read, asked["operation"])
        knows_all(expected, read, asked["operation"])
        self.asked.add(asked["operation"])

    def reads(self):
        asks = billing.reads(self.plain, SECOND)
        expected = [self.plain.read(asked) for asked in asks]
        for asked, one, read in zip(asks, expected, self.client.answers(asks), strict=True):
            self.compare(asked, one, read)
        return f"{len(asks)} answers"

    def addresses(self):
        asks = [asked for asked, _ in billing.ADDRESSES]
        answers = self.client.answers(asks)
        for (asked, status), read in zip(billing.ADDRESSES, answers, strict=True):
            self.compare(asked, self.plain.read(asked), read)
            assert read["status"] == status, read

    def writes(self, asked):
        """What was sent is there, in the client's answer and in a plain read afterwards."""
        [answer] = self.client.answers([asked])
        after = ask(billing.READ_AFTER[asked["operation"]], asked["names"])
        if asked["operation"] == "BillingAccounts_Update":
            # Who reads an account sees its address when asking for it only: a client that ends
            # with a read of the account has none, one that ends with the result has it.
            whole = self.plain.read(after | {"expand": billing.ADDRESS_OF_ACCOUNT[SECOND]})
            billing.holds(asked["body"], whole, "account")
            has_address = node_client.flat(answer).get("soldTo") is not None
            self.compare(asked, whole if has_address else self.plain.read(after), answer)
        else:
            found = self.plain.read(after)
            billing.holds(asked["body"], found, asked["operation"])
            self.compare(asked, found, answer)

    def sends_back(self):
        profile = billing.names(self.plain)["account"]
        profile = profile | {"billingProfileName": f"{self.own}-profile"}
        read = ask("BillingProfiles_Get", profile, expand="invoiceSections")
        [found] = self.client.answers([read])
        put = ask("BillingProfiles_CreateOrUpdate", profile, body=found)
        before = self.plain.read(read)
        self.client.answers([put])
        assert self.plain.read(read) == before, "what is sent back unchanged changes nothing"

    def roles(self, place):
        """A role that was given in the first version is got and taken by the client."""
        get, take = billing.given_role(self.plain, place)
        expected = self.plain.read(get)
        for asked, read in zip([get, take], self.client.answers([get, take]), strict=True):
            self.compare(asked, expected, read)
        status, _ = self.plain.answer(get)
        assert status == 404, status

    def refuses(self, asked, status, words):
        [(found, code, message)] = self.client.refusals([asked])
        plain_status, answer = self.plain.answer(asked)
        error = answer["error"]
        assert (found, code, message) == (plain_status, error["code"], error["message"])
        assert found == status and words in message, (found, code, message)

    def foreign_is_missing(self):
        for pair in billing.unseen(self.plain):
            billing.alike(*self.client.refusals(pair), pair)

    def everything(self):
        missing = set(billing.served(SECOND)) - self.asked
        assert not missing, f"not asked: {sorted(missing)}"
        return f"{len(self.asked)} operations"


def knows_all(plain, read, place):
    """Fails where a plain answer has a member that the client, made of the contract, has not."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            assert key in read, f"{place}.{key} is not declared"
            knows_all(value, read[key], f"{place}.{key}")
    elif isinstance(plain, list):
        for one, other in zip(plain, read, strict=True):
            knows_all(one, other, place)


class Python:
    """azure-mgmt-billing."""

    def __init__(self, context):
        import billing_python

        self.context, self.client = context, billing_python.Client(context)

    def answers(self, asks):
        return [self.client.answer(asked) for asked in asks]

    def refusals(self, asks):
        return [self.client.refusal(asked) for asked in asks]


class Node:
    """@azure/arm-billing: one run of Node.js for each call."""

    def __init__(self, context, file):
        self.context, self.file = context, file

    def answers(self, asks):
        told = node_client.billing(self.file, self.context, asks)
        for asked, one in zip(asks, told, strict=True):
            assert "value" in one, (asked, one)
        return [one["value"] for one in told]

    def refusals(self, asks):
        told = node_client.billing(self.file, self.context, asks)
        for asked, one in zip(asks, told, strict=True):
            assert "refused" in one, (asked, one)
        return [one["refused"] for one in told]


class FirstVersion:
    """2019-10-01-preview, which no client speaks: plainly, and against its successor."""

    def __init__(self, tally, context):
        self.tally, self.plain, self.asked = tally, billing.Plain(context), set()

    def check(self, what, rule):
        self.tally.check(f"demo: plain client of {FIRST}, {what}", rule)

    def read(self, asked):
        self.asked.add(asked["operation"])
        return self.plain.read(asked, FIRST)

    def run(self):
        self.check("reads", self.reads)
        self.check("addresses", self.addresses)
        for asked in billing.first_writes(self.plain, "plain"):
            self.check(asked["operation"], lambda: self.writes(asked))
        self.check("what takes its time is accepted and polled", self.takes_its_time)
        for place in billing.PLACES:
            self.check(f"roles of the {place}", lambda: self.roles(place))
        for place in billing.ENTERPRISE_PLACES:
            self.check(f"roles of the {place}", lambda: self.enterprise_roles(place))
        self.check("a section is elevated", self.elevates)
        for asked, status, words in billing.refusals(self.plain, FIRST):
            about = f"{asked['operation']} is refused with {status}"
            self.check(about, lambda: self.refuses(asked, status, words))
        self.check("a foreign account and none are one", self.foreign_is_missing)
        self.check("every operation that is served", self.everything)

    def reads(self):
        """What both versions have is the same resource; what has other names is there by them."""
        asks = billing.reads(self.plain, FIRST)
        twins = 0
        for asked in asks:
            found = self.read(asked)
            in_both = asked["operation"] in self.plain.operations[SECOND]
            if in_both and asked["operation"] != "Operations_List":
                expand = asked["expand"]
                expand = "soldTo" if expand == "address" else expand
                twin = self.plain.read(asked | {"expand": expand}, SECOND)
                is_twin(found, twin, asked["operation"])
                twins += 1
        return f"{len(asks)} answers, {twins} with a twin"

    def addresses(self):
        for asked, status in billing.ADDRESSES:
            found = self.read(asked)
            assert found["status"] == status, found

    def writes(self, asked):
        answer = self.read(asked)
        is_account = asked["operation"] == "BillingAccounts_Update"
        expand = billing.ADDRESS_OF_ACCOUNT[FIRST] if is_account else None
        after = ask(billing.READ_AFTER[asked["operation"]], asked["names"], expand)
        found = self.read(after)
        assert answer == found, (answer, found)
        body = asked["body"]
        billing.holds(body.get("properties", body), found["properties"], asked["operation"])

    def roles(self, place):
        by, _ = billing.PLACES[place]
        get, take = billing.given_role(self.plain, place)
        self.asked.add(f"BillingRoleAssignments_AddBy{by}")
        self.got_and_taken(get, take)

    def enterprise_roles(self, place):
        for who, definition in billing.ENTERPRISE_PLACES[place]:
            put, get, take = billing.enterprise_role(self.plain, place, who, definition)
            given = self.read(put)
            assert given["name"] == get["names"]["billingRoleAssignmentName"], given
            assert self.read(put) == given, "a put may be repeated"
        if place == "enrollment":
            self.refuses(get, 400, "agreement type `EnterpriseAgreement`")
        else:
            assert self.read(get) == given
            self.got_and_taken(get, take)

    def got_and_taken(self, get, take):
        found = self.read(get)
        assert found["properties"]["name"] == found["name"], found
        assert self.read(take) == found, "a removal answers with what was removed"
        status, _ = self.plain.answer(get, FIRST)
        assert status == 404, status

    def elevates(self):
        section = billing.names(self.plain)["section"]
        status, answer = self.plain.answer(
            ask("InvoiceSections_ElevateToBillingProfile", section), FIRST
        )
        assert (status, answer) == (204, None), (status, answer)
        owned = self.read(ask("BillingRoleAssignments_ListByInvoiceSection", section))
        owner = self.plain.context["clients"]["owner"]["client_id"]
        assert owner in [one["properties"]["principalId"] for one in owned], owned
        self.asked.add("InvoiceSections_ElevateToBillingProfile")

    def refuses(self, asked, status, words):
        found, answer = self.plain.answer(asked, FIRST)
        assert found == status and words in answer["error"]["message"], (found, answer)

    def takes_its_time(self):
        long = {"BillingAccounts_Update", "BillingProfiles_Create", "BillingProfiles_Update"}
        long |= {"InvoiceSections_Create", "InvoiceSections_Update"}
        assert self.plain.accepted == long, self.plain.accepted

    def foreign_is_missing(self):
        for pair in billing.unseen(self.plain):
            told = [self.plain.answer(asked, FIRST) for asked in pair]
            told = [(status, one["error"]["code"], one["error"]["message"]) for status, one in told]
            billing.alike(*told, pair)

    def everything(self):
        missing = set(billing.served(FIRST)) - self.asked
        assert not missing, f"not asked: {sorted(missing)}"
        return f"{len(self.asked)} operations"


# Members of the second version by the names that they have in the first.
RENAMED = {"address": ("soldTo", "billTo"), "marketplacesEnabled": ("marketplaceEnabled",)}
# Those that only the first has.
ONLY_FIRST = {"customerType", "organizationId", "name"}
# What has the same name and another value: the first version's account owner is an address.
DIFFERENT = {"type", "roleName", "accountOwner"}


def is_twin(first, second, place):
    """Fails unless the second version tells the same wherever both have a member."""
    if isinstance(first, list):
        second = second["value"] if isinstance(second, dict) else second
        assert len(first) == len(second), (place, first, second)
        for one, other in zip(first, second):
            is_twin(one, other, place)
    elif isinstance(first, dict):
        for key in first.keys() - DIFFERENT:
            value, names = first[key], RENAMED.get(key, (key,))
            known = [second[name] for name in names if name in second]
            assert known or key in ONLY_FIRST, f"{place}.{key} is only in {FIRST}"
            if known:
                is_twin(value, known[0], f"{place}.{key}")
    else:
        assert first == second, (place, first, second)


def the_demo(tally, place, program):
    with servers.demo(place, program) as file:
        context = json.loads(file.read_text())
        os.environ["REQUESTS_CA_BUNDLE"] = context["ca_file"]
        Flows(tally, "azure-mgmt-billing", Python(context), lambda value: value).run()
        Flows(tally, "arm-billing", Node(context, file), node_client.flat).run()
        FirstVersion(tally, context).run()
