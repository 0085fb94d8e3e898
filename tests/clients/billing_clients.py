"""Every client of Azure Billing against a plain one, and the plain one through both versions."""

import json
import os
import subprocess
import time

import billing
import generated
import node_client
import plain
import servers
from billing import FIRST, SECOND, ask
from node_client import HERE, TOOLS


class Flows:
    """What one client is asked, and whether the answers are those of a plain client."""

    version, changes = SECOND, staticmethod(billing.writes)

    def __init__(self, tally, own, client, to_client):
        """`client` answers as `to_client` makes it of a plain answer; `own` is how it is called."""
        self.tally, self.own, self.client, self.to_client = tally, own, client, to_client
        self.plain, self.asked = billing.Plain(client.context), set()

    def check(self, what, rule):
        self.tally.check(f"demo: {self.own}, {what}", rule)

    def run(self):
        self.check("reads", self.reads)
        self.check("lists have further pages", self.has_further_pages)
        self.check("addresses", self.addresses)
        for asked in self.changes(self.plain, self.own):
            self.check(asked["operation"], lambda: self.writes(asked))
        for asks in billing.moves(self.plain, self.version):
            self.check(asks[1]["operation"], lambda: self.moves(*asks))
        for place in billing.PLACES:
            self.check(f"roles of the {place}", lambda: self.roles(place))
        self.of_version()
        for asked, status, words in billing.refusals(self.plain, self.version):
            about = f"{asked['operation']} is refused with {status}"
            self.check(about, lambda: self.refuses(asked, status, words))
        self.check("a foreign account and none are one", self.foreign_is_missing)
        self.check("every operation that is served", self.everything)

    def of_version(self):
        """What only this version has."""
        self.check("a profile that was read is sent back", self.sends_back)
        self.check("what is asked for in a version before", self.aliases)

    def read(self, asked):
        return self.plain.read(asked, self.version)

    def compare(self, asked, expected, read):
        expected = self.to_client(expected)
        plain.same(expected, read, asked["operation"])
        knows_all(expected, read, asked["operation"])
        self.asked.add(asked["operation"])

    def reads(self):
        asks = billing.reads(self.plain, self.version)
        expected = [self.read(asked) for asked in asks]
        for asked, one, read in zip(asks, expected, self.client.answers(asks), strict=True):
            self.compare(asked, one, read)
        return f"{len(asks)} answers"

    def has_further_pages(self):
        assert self.plain.paged, "no list that was read has a second page"
        return f"{len(self.plain.paged)} operations"

    def addresses(self):
        asks = [asked for asked, _ in billing.ADDRESSES]
        answers = self.client.answers(asks)
        for (asked, status), read in zip(billing.ADDRESSES, answers, strict=True):
            self.compare(asked, self.read(asked), read)
            assert read["status"] == status, read

    def aliases(self):
        asks = billing.aliases(self.plain)
        for asked, read in zip(asks, self.client.answers(asks), strict=True):
            expected = self.to_client(self.plain.read(asked, billing.ALIASES))
            plain.same(expected, read, asked["operation"])
            knows_all(expected, read, asked["operation"])

    def writes(self, asked):
        """What was sent is there, in the client's answer and in a plain read afterwards."""
        [answer] = self.client.answers([asked])
        after = ask(billing.READ_AFTER[asked["operation"]], asked["names"])
        sent = asked["body"].get("properties", asked["body"])
        if asked["operation"] == "BillingAccounts_Update":
            # Who reads an account sees its address when asking for it only: a client that ends
            # with a read of the account has none, one that ends with the result has it.
            address = billing.ADDRESS_OF_ACCOUNT[self.version]
            whole = self.read(after | {"expand": address})
            billing.holds(sent, whole["properties"], "account")
            has_address = node_client.flat(answer).get(address) is not None
            self.compare(asked, whole if has_address else self.read(after), answer)
        else:
            found = self.read(after)
            billing.holds(sent, found["properties"], asked["operation"])
            self.compare(asked, found, answer)

    def moves(self, may, move, after, section):
        """What may be moved stands elsewhere then, in the client's answer and in a plain read."""
        [answer] = self.client.answers([may])
        self.compare(may, self.read(may), answer)
        [answer] = self.client.answers([move])
        found = stands(self.plain, self.version, after, section)
        # No description says of products that it takes its time: who does not wait has nothing.
        if move["operation"].startswith("Products_") and not (answer or {}).get("name"):
            self.asked.add(move["operation"])
        else:
            self.compare(move, billing.moved(move["operation"], found), answer)

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
        self.got_and_taken(*billing.given_role(self.plain, place))

    def got_and_taken(self, get, take):
        expected = self.read(get)
        for asked, read in zip([get, take], self.client.answers([get, take]), strict=True):
            self.compare(asked, expected, read)
        status, _ = self.plain.answer(get, self.version)
        assert status == 404, status

    def refuses(self, asked, status, words):
        [(found, code, message)] = self.client.refusals([asked])
        plain_status, answer = self.plain.answer(asked, self.version)
        error = answer["error"]
        assert (found, code, message) == (plain_status, error["code"], error["message"])
        assert found == status and words in message, (found, code, message)

    def foreign_is_missing(self):
        for pair in billing.unseen(self.plain, self.version):
            billing.alike(*self.client.refusals(pair), pair)

    def everything(self):
        missing = set(billing.served(self.version)) - self.asked
        assert not missing, f"not asked: {sorted(missing)}"
        return f"{len(self.asked)} operations"


def stands(client, version, after, section):
    """Reads what was moved, once it stands at a section."""
    until = time.monotonic() + 60
    while True:
        status, found = client.answer(after, version)
        if status == 200 and found["properties"]["invoiceSectionId"].lower() == section.lower():
            return found
        assert time.monotonic() < until, (after, status, found)
        time.sleep(0.2)


def knows_all(plain, read, place):
    """Fails where a plain answer has a member that the client, made of the contract, has not."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            assert key in read, f"{place}.{key} is not declared"
            knows_all(value, read[key], f"{place}.{key}")
    elif isinstance(plain, list):
        for one, other in zip(plain, read, strict=True):
            knows_all(one, other, place)


# What is done with a transfer, and what it answers that it is then.
ENDS = {"Cancel": "Canceled", "Validate": "Pending", "Decline": "Declined", "Accept": "InProgress"}

# Members that the contract got after azure-mgmt-billing 1.0.0 was made of it.
LATER = {
    "accountOwnerEmail",
    "display.description",
    "isDataAction",
    "marketplaceEnabled",
    "middleName",
    "notificationEmailAddress",
    "tags",
}


def without_later(value, of=""):
    """An answer, or asks, as the contract had them then; `of` is the member that it is."""
    if isinstance(value, list):
        return [without_later(one) for one in value]
    if isinstance(value, dict):
        kept = value.keys() - LATER
        kept -= {key for key in kept if f"{of}.{key}" in LATER}
        return {key: without_later(one, key) for key, one in value.items() if key in kept}
    return value


class OlderFlows(Flows):
    """The same of a client that does not know what came later."""

    changes = staticmethod(lambda client, own: without_later(billing.writes(client, own)))


class FirstFlows(Flows):
    """The same of a client of 2019-10-01-preview: it gives roles too."""

    version, changes = FIRST, staticmethod(billing.first_writes)

    def of_version(self):
        for place in billing.ENTERPRISE_PLACES:
            self.check(f"roles of the {place}", lambda: self.enterprise_roles(place))
        self.check("a section is elevated", self.elevates)
        for initiate in billing.transfers(self.plain):
            self.check(initiate["operation"], lambda: self.transfers(initiate))
        self.check("price sheets are downloaded", self.downloads)

    def downloads(self):
        asks = billing.price_sheets(self.plain)
        for asked, told in zip(asks, self.client.answers(asks), strict=True):
            billing.is_sheet(self.plain, told)
            self.asked.add(asked["operation"])

    def transfers(self, initiate):
        """Each way to end a transfer; what a section was handed over is no customer's any more."""
        for does, ended in ENDS.items():
            [given] = self.client.answers([initiate])
            name = billing.newest(self.plain, initiate)
            get = billing.of_transfer(self.plain, initiate, "Get", name)
            self.compare(initiate, self.read(get), given)
            asked = billing.of_transfer(self.plain, initiate, does, name)
            if does == "Accept" and initiate["operation"] == "PartnerTransfers_Initiate":
                self.refuses(asked, 409, "transfer")
                continue
            [answer] = self.client.answers([asked])
            self.asked.add(asked["operation"])
            if does == "Validate":
                self.compare(asked, self.read(asked), answer)
            else:
                assert answer["properties"]["transferStatus"] == ended, answer
            billing.settled(self.plain, get)
        self.check("a product is renewed", self.renews)

    def renews(self):
        asked = billing.renewal(self.plain)
        [answer] = self.client.answers([asked])
        self.compare(asked, self.read(asked), answer)

    def roles(self, place):
        super().roles(place)
        add = billing.role_for(self.plain, place, "nobody")
        [given] = self.client.answers([add])
        get, take = billing.role_at(self.plain, place, given[0]["name"])
        self.compare(add, [self.read(get)], given)
        self.got_and_taken(get, take)

    def enterprise_roles(self, place):
        for who, definition in billing.ENTERPRISE_PLACES[place]:
            put, get, take = billing.enterprise_role(self.plain, place, who, definition)
            [given] = self.client.answers([put])
            self.compare(put, self.read(put), given)
        if place == "enrollment":
            self.refuses(get, 400, "agreement type `EnterpriseAgreement`")
        else:
            self.got_and_taken(get, take)

    def elevates(self):
        section = billing.names(self.plain)["section"]
        elevate = ask("InvoiceSections_ElevateToBillingProfile", section)
        [nothing] = self.client.answers([elevate])
        assert nothing is None, nothing
        self.asked.add(elevate["operation"])


class Python:
    """azure-mgmt-billing, or a client that is `made` like it."""

    def __init__(self, context, *made):
        import billing_python

        self.context, self.client = context, billing_python.Client(context, *made)

    def answers(self, asks):
        return [self.client.answer(asked) for asked in asks]

    def refusals(self, asks):
        return [self.client.refusal(asked) for asked in asks]


class Apart:
    """A client in a process of its own: one run for each call, by `run`."""

    def __init__(self, context, run):
        self.context, self.run = context, run

    def answers(self, asks):
        told = self.run(asks)
        for asked, one in zip(asks, told, strict=True):
            assert "value" in one, (asked, one)
        return [one["value"] for one in told]

    def refusals(self, asks):
        told = self.run(asks)
        for asked, one in zip(asks, told, strict=True):
            assert "refused" in one, (asked, one)
        return [one["refused"] for one in told]


class FirstVersion:
    """2019-10-01-preview: plainly, and against its successor."""

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
        self.check("price sheets are downloaded", self.downloads)
        for asks in billing.moves(self.plain, FIRST):
            self.check(asks[1]["operation"], lambda: self.moves(*asks))
        self.check("a product is renewed", self.renews)
        self.check("what takes its time is accepted and polled", self.takes_its_time)
        for place in billing.PLACES:
            self.check(f"roles of the {place}", lambda: self.roles(place))
        for place in billing.ENTERPRISE_PLACES:
            self.check(f"roles of the {place}", lambda: self.enterprise_roles(place))
        self.check("a section is elevated", self.elevates)
        for initiate in billing.transfers(self.plain):
            self.check(initiate["operation"], lambda: self.transfers(initiate))
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
            first, second = (self.plain.operations[one] for one in (FIRST, SECOND))
            in_both = second.get(asked["operation"]) == first[asked["operation"]]
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

    def moves(self, may, move, after, section):
        assert self.read(may) == {"isTransferEligible": True}, self.read(may)
        answer, found = self.read(move), stands(self.plain, FIRST, after, section)
        assert answer == billing.moved(move["operation"], found), (answer, found)
        told = self.read(may)
        assert told["errorDetails"]["code"] == "InvalidSource", told

    def renews(self):
        ends_at = self.read(billing.renewal(self.plain))["properties"]["endDate"]
        assert plain.INSTANT.match(ends_at), ends_at

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

    def transfers(self, initiate):
        """Each way to end a transfer; another client may have been handed over the same before."""
        for does, ended in ENDS.items():
            given = self.read(initiate)
            get = billing.of_transfer(self.plain, initiate, "Get", billing.name_of(given))
            assert self.read(get) == given, "what was asked for is there"
            asked = billing.of_transfer(self.plain, initiate, does, billing.name_of(given))
            status, answer = self.plain.answer(asked, FIRST)
            self.asked.add(asked["operation"])
            if does == "Accept" and status == 409:
                continue
            assert status == 200, answer
            if does != "Validate":
                assert answer["properties"]["transferStatus"] == ended, answer
            billing.settled(self.plain, get)

    def refuses(self, asked, status, words):
        found, answer = self.plain.answer(asked, FIRST)
        assert found == status and words in answer["error"]["message"], (found, answer)

    def downloads(self):
        for asked in billing.price_sheets(self.plain):
            billing.is_sheet(self.plain, self.read(asked))

    def takes_its_time(self):
        long = {"BillingAccounts_Update", "BillingProfiles_Create", "BillingProfiles_Update"}
        long |= {"InvoiceSections_Create", "InvoiceSections_Update"}
        long |= {"PriceSheet_Download", "PriceSheet_DownloadByBillingProfile"}
        long |= {"BillingSubscriptions_Transfer", "Products_Transfer"}
        assert self.plain.accepted == long, self.plain.accepted

    def foreign_is_missing(self):
        for pair in billing.unseen(self.plain, FIRST):
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
# What the first version names below the place where it stands, the second below the account.
ELSEWHERE = ("BillingSubscriptions_", "Products_")


def is_twin(first, second, place):
    """Fails unless the second version tells the same wherever both have a member."""
    if isinstance(first, list):
        second = second["value"] if isinstance(second, dict) else second
        assert len(first) == len(second), (place, first, second)
        for one, other in zip(first, second):
            is_twin(one, other, place)
    elif isinstance(first, dict):
        different = DIFFERENT | {"id"} if place.startswith(ELSEWHERE) else DIFFERENT
        for key in first.keys() - different:
            value, names = first[key], RENAMED.get(key, (key,))
            known = [second[name] for name in names if name in second]
            assert known or key in ONLY_FIRST, f"{place}.{key} is only in {FIRST}"
            if known:
                is_twin(value, known[0], f"{place}.{key}")
    else:
        assert first == second, (place, first, second)


def as_it_is(value):
    return value


def older(file, asks):
    """What azure-mgmt-billing 1.0.0 answers to each ask, as `node_client.billing` gives it."""
    words = [TOOLS / "older/bin/python", HERE / "billing_older.py", file]
    done = subprocess.run(
        words, input=json.dumps(asks), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


# No list of the demo would have a second page, and so many clients would have to wait.
LIMITS = {"RECKONER_LIMITS__PAGE_ROWS": "2", "RECKONER_LIMITS__REQUEST_BURST": "100000"}


def the_demo(tally, place, program):
    with servers.demo(place, program, **LIMITS) as file:
        context = json.loads(file.read_text())
        os.environ["REQUESTS_CA_BUNDLE"] = context["ca_file"]
        Flows(tally, "azure-mgmt-billing", Python(context), as_it_is).run()
        apart = Apart(context, lambda asks: older(file, asks))
        OlderFlows(tally, "azure-mgmt-billing-1", apart, without_later).run()
        apart = Apart(context, lambda asks: node_client.billing(file, context, asks))
        Flows(tally, "arm-billing", apart, node_client.flat).run()
        if generated.DESCRIPTION.exists():
            made = Python(context, generated.client())
            FirstFlows(tally, "generated", made, as_it_is).run()
        else:
            why = f"{generated.DESCRIPTION} is not there; set RECKONER_SPECS"
            tally.leave_out(f"the generated client ({why})")
        FirstVersion(tally, context).run()
