"""Every `az billing` command: those of served operations against plain reads, the others refused.

`tests/azure-billing/az.csv` says which operations a command asks for, at which version.
"""

import csv
import json
import re
import subprocess
from collections import namedtuple

import billing
import plain
import servers
from az_client import AZ, answered, refused
from billing import FIRST, SECOND, ask
from billing_clients import knows_all, stands

TABLE = servers.ROOT / "tests/azure-billing/az.csv"
Row = namedtuple("Row", "command version operation answer")
# Versions before the contract's that commands send.
MARCH, NOVEMBER = "2018-03-01-preview", "2018-11-01-preview"
# Members that the model of a version's commands has not.
UNKNOWN = {NOVEMBER: {"state"}}
# Commands whose options are the contract's names; the others leave out `billing`.
AS_CONTRACT = (
    "billing account invoice-section",
    "billing account list-invoice-section",
    "billing account reservation",
    "billing account transaction",
    "billing enrollment-account billing-permission",
    "billing invoice section initiate-transfer",
    "billing profile reservation",
    "billing transfer",
)
# What `--name` is, by the command or its group.
NAME = {
    "billing account": "billingAccountName",
    "billing agreement": "agreementName",
    "billing enrollment-account": "name",
    "billing instruction": "instructionName",
    "billing invoice show": "invoiceName",
    "billing period": "billingPeriodName",
    "billing profile": "billingProfileName",
    "billing role-assignment": "billingRoleAssignmentName",
    "billing role-definition": "billingRoleDefinitionName",
}
OF_PERIOD = ["--period-start-date", "2026-01-01", "--period-end-date", "2026-02-01"]
# What commands of operations that are not served need besides the names of the path.
BESIDES = {
    "Invoices_DownloadBillingSubscriptionInvoice": ["--download-token", "none"],
    "Invoices_DownloadInvoice": ["--download-token", "none"],
    "Invoices_DownloadMultipleBillingProfileInvoices": ["--download-urls", "none"],
    "Invoices_DownloadMultipleBillingSubscriptionInvoices": ["--download-urls", "none"],
    "Invoices_GetBySubscriptionAndInvoiceId": ["--by-subscription"],
    "Invoices_ListByBillingAccount": OF_PERIOD,
    "Invoices_ListByBillingProfile": OF_PERIOD,
    "Invoices_ListByBillingSubscription": OF_PERIOD,
    "Products_Move": TARGET,
    "Products_ValidateMove": TARGET,
    "RecipientTransfers_Accept": ["--product-details", "[]"],
    "Transactions_ListByBillingAccount": OF_PERIOD,
}
# The commands that do `billing.writes`, in their order.
WRITES = [
    "billing profile create",
    "billing profile update",
    "billing invoice section create",
    "billing invoice section update",
    "billing instruction create",
    "billing policy update",
    "billing policy update",
    "billing account update",
    "billing property update",
    "billing subscription update",
    "billing product update",
    "billing product update",
]
# What the commands cannot send.
NO_OPTION = {"tags"}
# What `az` 2.91.0 calls its own client wrongly for; the table says `not sent`.
NOT_SENT = "Policies_UpdateCustomer"
EVERY_COMMAND = """
import json
from azure.cli.core import MainCommandsLoader, get_default_cli
loaded = MainCommandsLoader(get_default_cli()).load_command_table(["billing"])
print(json.dumps([name for name in loaded if name.split()[0] == "billing"]))
"""


def table():
    with open(TABLE, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == list(Row._fields), header
    return [Row(*row) for row in rows]


def kebab(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def option(command, member):
    """How a command calls a name of the path."""
    if member == "subscriptionId":
        return "--subscription"
    if command.startswith(AS_CONTRACT):
        return "--" + kebab(member)
    group = command.rsplit(" ", 1)[0]
    is_name = member == NAME.get(command, NAME.get(group))
    return "--name" if is_name else "--" + kebab(member.removeprefix("billing"))


def value_words(member, value):
    if isinstance(value, dict):
        key = (lambda name: name) if member == "labels" else kebab
        return [f"{key(name)}={one}" for name, one in value.items()]
    return [str(value)]


def words(command, asked):
    """The command line of what is asked."""
    line = command.split()
    for member, value in asked["names"].items():
        line += [option(command, member), value]
    line += ["--expand", asked["expand"]] if asked["expand"] else []
    sent = (asked["body"] or {}).get("properties", {})
    for member, value in sent.items():
        line += ["--" + kebab(member), *value_words(member, value)]
    return line


def without(value, members):
    """A resource or a list of them, but for some members."""
    if isinstance(value, list):
        return [without(one, members) for one in value]
    return {name: one for name, one in value.items() if name not in members}


def is_read(row):
    """Roles are given before they are read, transfers are asked for, and what is waited for is
    changed before."""
    command = row.command.split()
    return row.answer == "served" and command[-1] != "wait" and command[1] != "transfer" and (
        command[-1].startswith("list")
        or (command[-1] == "show" and command[1] != "role-assignment")
    )


def few(asked):
    """Leaves out what another `$expand` of an account shows too."""
    of_accounts = (None, "soldTo", "billingProfiles/invoiceSections", "properties/departments")
    is_account = asked["operation"] in ("BillingAccounts_List", "BillingAccounts_Get")
    return not is_account or asked["expand"] in of_accounts


class Commands:
    """Runs every command of the table."""

    def __init__(self, tally, az):
        self.tally, self.az, self.rows, self.ran = tally, az, table(), set()
        self.plain = billing.Plain(az.context)
        aliases = {version: billing.served(version, "aliases.txt") for version in (MARCH, NOVEMBER)}
        self.plain.operations |= aliases
        self.late = billing.Plain(az.context)
        self.late.operations = {v: billing.served(v, "not_yet.txt") for v in (FIRST, SECOND)}
        self.names = billing.names(self.plain)

    def check(self, what, rule):
        self.tally.check(f"az billing: {what}", rule)

    def run(self):
        self.check("every command is in the table", self.commands)
        self.check("the table says what is served", self.answers)
        for version in (FIRST, SECOND):
            self.check(f"reads of {version}", lambda: self.reads(version))
        self.check("periods", self.periods)
        self.check("enrollment accounts", self.enrollments)
        self.check("invoice sections of an account", self.sections)
        writes = billing.writes(self.plain, "az")
        not_sent = [asked for asked in writes if asked["operation"] == NOT_SENT]
        writes = [asked for asked in writes if asked["operation"] != NOT_SENT]
        for command, asked in zip(WRITES, writes, strict=True):
            self.check(f"{command[8:]}, {asked['operation']}", lambda: self.write(command, asked))
        self.check(f"policy update, {NOT_SENT}, is not sent", lambda: self.not_sent(not_sent[0]))
        self.check("instruction update", self.instruction)
        for asks in billing.moves(self.plain, SECOND):
            self.check(asks[1]["operation"], lambda: self.moves(*asks))
        for place in billing.PLACES:
            self.check(f"roles of the {place}", lambda: self.roles(place))
        for change, wait, asked, condition in self.waits():
            self.check(wait[8:], lambda: self.waited(change, wait, asked, condition))
        self.check("subscription wait", self.subscription)
        self.check("refusals", self.refusals)
        for version in (FIRST, SECOND):
            self.check(f"not served yet, {version}", lambda: self.not_yet(version))
        # What is handed over is nobody's here any more.
        self.check("transfers", self.transfers)
        self.check("every row was run", self.everything)

    def commands(self):
        """A newer `az` has commands that the table must name first."""
        python = [AZ.parent / "python", "-c", EVERY_COMMAND]
        environment = self.az.environment | {"AZURE_AAZ_FULL_LOAD": "true"}
        done = subprocess.run(python, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        known, listed = set(json.loads(done.stdout)), {row.command for row in self.rows}
        assert known == listed, (sorted(known - listed), sorted(listed - known))
        return f"{len(known)} commands"

    def answers(self):
        assert len(set(self.rows)) == len(self.rows), "a row stands twice"
        for row in self.rows:
            served = row.operation in self.plain.operations[row.version]
            assert served or row.operation in self.late.operations[row.version], row
            answers = ("served", "not sent") if served else ("501",)
            assert row.answer in answers, row

    def done(self, command, operation):
        found = [row for row in self.rows if (row.command, row.operation) == (command, operation)]
        assert found, f"{command} is not in the table with {operation}"
        self.ran.update(found)

    def compare(self, command, asked, version, read):
        """Fails unless a command shows what a plain read finds, and all of it."""
        expected = plain.flat(self.plain.read(asked, version))
        plain.same(expected, read, command)
        knows_all(without(expected, UNKNOWN.get(version, set())), read, command)

    def shows(self, version, pairs):
        """Commands that read, each with what it asks for."""
        answers = self.az.runs([words(*pair) for pair in pairs])
        for (command, asked), one in zip(pairs, answers, strict=True):
            self.compare(command, asked, version, answered(one))
            self.done(command, asked["operation"])
        return f"{len(pairs)} answers"

    def reads(self, version):
        asks = [asked for asked in billing.reads(self.plain, version) if few(asked)]
        rows = [row for row in self.rows if row.version == version and is_read(row)]
        of_row = lambda row: [one for one in asks if one["operation"] == row.operation]
        return self.shows(version, [(row.command, one) for row in rows for one in of_row(row)])

    def periods(self):
        names = self.names["subscription"]
        found = self.plain.read(ask("BillingPeriods_List", names), MARCH)
        one = ask("BillingPeriods_Get", names | {"billingPeriodName": found[0]["name"]})
        pairs = [
            ("billing period list", ask("BillingPeriods_List", names)),
            ("billing period show", one),
        ]
        return self.shows(MARCH, pairs)

    def enrollments(self):
        found = self.plain.read(ask("EnrollmentAccounts_List"), MARCH)
        pairs = [
            ("billing enrollment-account list", ask("EnrollmentAccounts_List")),
            (
                "billing enrollment-account show",
                ask("EnrollmentAccounts_Get", {"name": found[0]["name"]}),
            ),
        ]
        return self.shows(MARCH, pairs)

    def sections(self):
        section = self.names["section"]
        section = {name: section[name] for name in ("billingAccountName", "invoiceSectionName")}
        pairs = [
            (
                "billing account invoice-section list",
                ask("InvoiceSections_ListByBillingAccountName", self.names["account"]),
            ),
            ("billing account invoice-section show", ask("InvoiceSections_Get", section)),
        ]
        return self.shows(NOVEMBER, pairs)

    def write(self, command, asked):
        """What was sent is there, as the command shows it and as a plain read finds it."""
        properties = asked["body"]["properties"]
        sent = {member: one for member, one in properties.items() if member not in NO_OPTION}
        answer = self.az.answer(*words(command, asked | {"body": {"properties": sent}}))
        after = ask(billing.READ_AFTER[asked["operation"]], asked["names"])
        self.compare(command, after, SECOND, answer)
        is_account = asked["operation"] == "BillingAccounts_Update"
        whole = after | {"expand": billing.ADDRESS_OF_ACCOUNT[SECOND] if is_account else None}
        billing.holds(sent, self.plain.read(whole)["properties"], command)
        self.done(command, asked["operation"])

    def not_sent(self, asked):
        """Once this fails, `az` is mended and the row is served."""
        done = self.az.run(words("billing policy update", asked))
        assert done.returncode and "TypeError" in done.stderr, (done.stdout, done.stderr)
        self.done("billing policy update", NOT_SENT)

    def instruction(self):
        """The command reads, changes and sends all back."""
        name = self.names["profile"] | {"instructionName": "az-part"}
        before = self.plain.read(ask("Instructions_Get", name))["properties"]
        asked = ask("Instructions_Put", name, body={"properties": {"amount": 77.25}})
        answer = self.az.answer(*words("billing instruction update", asked))
        after = ask("Instructions_Get", name)
        self.compare("billing instruction update", after, SECOND, answer)
        changed = before | {"amount": plain.parse("77.25")}
        found = self.plain.read(after)["properties"]
        assert found == changed, (found, changed)
        self.done("billing instruction update", "Instructions_Put")

    def moves(self, may, move, after, section):
        """Whether something may be moved is told, and it is moved."""
        of = "subscription" if move["operation"].startswith("BillingSubscriptions") else "product"
        check, does = f"billing {of} validate-move", f"billing {of} move"
        target = ["--destination-invoice-section-id", section]
        answer = self.az.answer(*words(check, may | {"body": None}), *target)
        plain.same(plain.flat(self.plain.read(may)), answer, check)
        self.az.answer(*words(does, move | {"body": None}), *target)
        stands(self.plain, SECOND, after, section)
        self.done(check, may["operation"])
        self.done(does, move["operation"])

    def roles(self, place):
        """A role that was given plainly is shown, and taken once."""
        get, take = billing.given_role(self.plain, place)
        show, delete = "billing role-assignment show", "billing role-assignment delete"
        expected = plain.flat(self.plain.read(get))
        plain.same(expected, self.az.answer(*words(show, get)), show)
        removed = self.az.answer(*words(delete, take), "--yes")
        plain.same(expected, removed, delete)
        self.refuses(self.plain, SECOND, [(show, get, 404, [])])
        self.done(show, get["operation"])
        self.done(delete, take["operation"])

    def transfers(self):
        """`az` asks the recipient, and hands over what the recipient asks for."""
        initiate = billing.transfers(self.plain)[0]
        command = "billing invoice section initiate-transfer"
        answer = self.az.answer(*words(command, initiate))
        name = billing.newest(self.plain, initiate)
        get = billing.of_transfer(self.plain, initiate, "Get", name)
        self.compare(command, get, FIRST, answer)
        self.done(command, initiate["operation"])
        name = {"transferName": self.received()}
        pairs = [
            ("billing transfer list", ask("RecipientTransfers_List", who="owner")),
            ("billing transfer show", ask("RecipientTransfers_Get", name, who="owner")),
        ]
        self.shows(FIRST, pairs)
        own = self.names["subscription"]["subscriptionId"]
        products = [{"product-type": "AzureSubscription", "product-id": own}]
        command = "billing transfer accept-transfer"
        accept = words(command, ask("RecipientTransfers_Accept", name))
        answer = self.az.answer(*accept, "--product-details", json.dumps(products))
        assert answer["transferStatus"] == "InProgress", answer
        self.done(command, "RecipientTransfers_Accept")
        told = billing.settled(self.plain, ask("RecipientTransfers_Get", name, who="owner"))
        assert told["properties"]["transferStatus"] == "Completed", told

    def received(self):
        """The name of a transfer that the recipient asks the one for who runs `az`."""
        client, who = self.plain, "recipient"
        account = client.context["accounts"]["recipient"]["billing_account"]
        place = {"billingAccountName": account}
        for member, lister in [
            ("billingProfileName", "BillingProfiles_ListByBillingAccount"),
            ("invoiceSectionName", "InvoiceSections_ListByBillingProfile"),
        ]:
            place |= {member: client.read(ask(lister, place, who=who), FIRST)[0]["name"]}
        body = {"properties": {"recipientEmailId": "owner@harbourlight.example"}}
        made = client.read(ask("Transfers_Initiate", place, body=body, who=who), FIRST)
        return billing.name_of(made)

    def waits(self):
        """Changes that are not waited for, and what ends the wait for each."""
        account, profile = self.names["account"], self.names["profile"]
        names = account | {"billingProfileName": "az-later"}
        section = profile | {"invoiceSectionName": "az-later"}
        told = lambda of, to: ask(of, to, body={"properties": {"displayName": "az later"}})
        custom = ["--custom", "displayName=='az later'"]
        return [
            (
                "billing profile create",
                "billing profile wait",
                told("BillingProfiles_CreateOrUpdate", names),
                ["--exists"],
            ),
            (
                "billing invoice section create",
                "billing invoice section wait",
                told("InvoiceSections_CreateOrUpdate", section),
                ["--exists"],
            ),
            (
                "billing account update",
                "billing account wait",
                told("BillingAccounts_Update", account),
                custom,
            ),
        ]

    def waited(self, change, wait, asked, condition):
        self.az.answer(*words(change, asked), "--no-wait")
        after = ask(billing.READ_AFTER[asked["operation"]], asked["names"])
        self.az.answer(*words(wait, after), *condition, "--interval", "1", "--timeout", "60")
        billing.holds(asked["body"]["properties"], self.plain.read(after)["properties"], wait)
        self.done(wait, after["operation"])

    def subscription(self):
        """What is there ends the wait for it."""
        names = self.names["account"] | self.names["subscription"]
        asked, command = ask("BillingSubscriptions_Get", names), "billing subscription wait"
        self.az.answer(*words(command, asked), "--exists", "--interval", "1", "--timeout", "60")
        self.done(command, asked["operation"])

    def refuses(self, client, version, rows):
        """Code and message are those that a plain client is told."""
        done = self.az.runs([[*words(command, asked), *more] for command, asked, _, more in rows])
        for (_, asked, status, _), one in zip(rows, done, strict=True):
            found, answer = client.answer(asked, version)
            assert found == status, (asked, found, answer)
            error = answer["error"]
            assert refused(one) == (error["code"], error["message"]), (refused(one), error)
        return f"{len(rows)} answers"

    def refusals(self):
        nobody = {"billingAccountName": billing.MISSING}
        body = {"properties": {"displayName": "Refused"}}
        of_partners = ask("Customers_ListByBillingAccount", self.names["account"])
        rows = [
            ("billing account show", ask("BillingAccounts_Get", nobody), 404, []),
            ("billing account update", ask("BillingAccounts_Update", nobody, body=body), 404, []),
            ("billing customer list", of_partners, 400, []),
        ]
        return self.refuses(self.plain, SECOND, rows)

    def not_yet(self, version):
        """Whatever the names are: the answer names the operation and its version."""
        known = self.names["section"] | self.names["subscription"] | self.names["customer"]
        rows = []
        for row in self.rows:
            if (row.version, row.answer) == (version, "501"):
                _, path = self.late.operations[version][row.operation]
                members = re.findall(r"\{(\w+)\}", path)
                asked = ask(row.operation, {name: known.get(name, "none") for name in members})
                exists = ["--exists"] if row.command.endswith(" wait") else []
                rows.append((row.command, asked, 501, BESIDES.get(row.operation, []) + exists))
                self.ran.add(row)
        return self.refuses(self.late, version, rows)

    def everything(self):
        missing = set(self.rows) - self.ran
        assert not missing, f"not run: {sorted(missing)}"
        return f"{len(self.rows)} rows"
