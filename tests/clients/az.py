"""`az` from nothing: it registers the cloud, signs in, reads and writes."""

import json

import az_billing
import az_consumption
import billing
import plain
import servers
from az_client import Az, answered, refused_rest
from billing import FIRST, ask
from billing_clients import knows_all
from billing_reads import placed

SUBSCRIPTIONS = "/subscriptions?api-version=2022-12-01"


def accounts(az, subscriptions):
    """`az account` knows what `GET /subscriptions` says, and where it was registered."""
    told = plain.Reader(az.context).get(az.context["base_url"] + SUBSCRIPTIONS)["value"]
    listed = az.answer("account", "list")
    assert listed == subscriptions, (listed, subscriptions)
    key = lambda one: one["id"]
    told = sorted(told, key=key)
    for one, read in zip(told, sorted(listed, key=key), strict=True):
        names = (one["subscriptionId"], one["displayName"], one["state"], one["tenantId"])
        assert (read["id"], read["name"], read["state"], read["tenantId"]) == names, (one, read)
        assert read["cloudName"] == "Reckoner", read
        assert read["user"] == {"name": az.client["client_id"], "type": "servicePrincipal"}, read
    own = az.context["subscriptions"]["own"]
    az.answer("account", "set", "--subscription", own)
    shown = az.answer("account", "show")
    assert shown["id"] == own and shown["isDefault"], shown
    return f"{len(listed)} subscriptions"


def bad_secret(az):
    """Before any sign-in that succeeds: afterwards the token is there still."""
    az.registers()
    done = az.login("not the secret")
    assert done.returncode and "AADSTS7000215" in done.stderr, done.stderr


def card(az):
    place = f"/subscriptions/{az.context['subscriptions']['own']}/providers/Microsoft.Commerce"
    filter = plain.card_filter(az.context).replace(" ", "%20").replace("'", "%27")
    url = f"{az.context['base_url']}{place}/RateCard?api-version={plain.VERSION}&%24filter={filter}"
    read = az.answer("rest", "--url", url)
    plain.same(plain.Reader(az.context).card(), read, "card")


class Rest:
    """`az rest` with the version that no command sends."""

    def __init__(self, owner, reader):
        self.owner, self.reader = owner, reader
        self.plain = billing.Plain(owner.context)
        self.names = billing.names(self.plain)

    def words(self, asked):
        """Paths without a host go to the cloud that was registered."""
        verb, path = self.plain.operations[FIRST][asked["operation"]]
        for name, value in asked["names"].items():
            path = path.replace("{%s}" % name, value)
        parameters = [f"api-version={FIRST}"]
        parameters += [f"{name}={value}" for name, value in asked["query"].items()]
        parameters += [f"$expand={asked['expand']}"] if asked["expand"] else []
        body = ["--body", json.dumps(asked["body"])] if asked["body"] else []
        return ["rest", "--method", verb, "--url", path, "--url-parameters", *parameters, *body]

    def reads(self):
        asks = [
            ask("BillingAccounts_List"),
            ask("BillingAccounts_Get", self.names["account"], "address"),
            ask("BillingProfiles_ListByBillingAccount", self.names["account"], "invoiceSections"),
            ask("Departments_ListByBillingAccountName", self.names["enrollment"]),
            ask("PaymentMethods_ListByBillingProfile", self.names["profile"]),
            ask("AvailableBalances_GetByBillingProfile", self.names["profile"]),
            placed(self.plain, FIRST, "Transactions_ListByInvoiceSection"),
        ]
        for asked, done in zip(asks, self.owner.runs(map(self.words, asks)), strict=True):
            read, expected = answered(done), self.plain.read(asked, FIRST)
            read = read["value"] if isinstance(expected, list) else read
            # It reads numbers as binary floats.
            plain.same(expected, read, asked["operation"])
            knows_all(expected, read, asked["operation"])
        return f"{len(asks)} answers"

    def writes(self):
        sent = {"amount": 1250.75, "startDate": "2027-01-01T00:00:00Z"}
        sent |= {"endDate": "2027-06-01T00:00:00Z"}
        instruction = self.names["profile"] | {"instructionName": "az-rest"}
        rows = [
            ("Instructions_Put", instruction, sent),
            ("Policies_Update", self.names["profile"], {"viewCharges": "NotAllowed"}),
            ("Policies_Update", self.names["profile"], {"viewCharges": "Allowed"}),
        ]
        for operation, names, properties in rows:
            asked = ask(operation, names, body={"properties": properties})
            answer = self.owner.answer(*self.words(asked))
            read = self.plain.read(ask(billing.READ_AFTER[operation], names), FIRST)
            assert answer == read, (answer, read)
            billing.holds(properties, read["properties"], operation)

    def refusals(self):
        """Each is told as a plain client is."""
        mine, nobody = self.names["profile"], {"billingAccountName": billing.MISSING}
        section = self.names["section"]
        change = {"properties": {"viewCharges": "Allowed"}}
        wrong = {"properties": {"viewCharges": "Perhaps"}}
        as_reader = ask("Policies_Update", mine, body=change, who="reader")
        rows = [
            (self.owner, ask("BillingAccounts_Get", nobody), 404),
            (self.owner, ask("Policies_Update", mine, body=wrong), 400),
            (self.reader, as_reader, 403),
            (self.owner, ask("Transfers_Get", section | {"transferName": "none"}), 404),
        ]
        for az, asked, status in rows:
            found, answer = self.plain.answer(asked, FIRST)
            assert found == status, (asked, found, answer)
            assert refused_rest(az.run(self.words(asked))) == answer, (asked, answer)
        return f"{len(rows)} answers"


def the_demo(tally, place, program):
    with servers.demo(place, program) as file:
        context = json.loads(file.read_text())
        reader, owner = Az(context, "reader", place), Az(context, "owner", place)

        def signs_in():
            subscriptions = reader.signs_in()
            assert [one["id"] for one in subscriptions] == [context["subscriptions"]["own"]]
            owner.registers()
            owner.signs_in()
            return accounts(reader, subscriptions)

        tally.check("az cloud register, az login with a bad secret", bad_secret, reader)
        tally.check("az login, az account", signs_in)
        tally.check("az rest reads the rate card", card, reader)
        rest = Rest(owner, reader)
        tally.check(f"az rest reads {FIRST}", rest.reads)
        tally.check(f"az rest writes {FIRST}", rest.writes)
        tally.check(f"az rest is refused, {FIRST}", rest.refusals)
        az_billing.Commands(tally, owner).run()
        az_consumption.Commands(tally, owner, place).run()
