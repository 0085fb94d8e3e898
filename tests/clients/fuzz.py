"""Sends generated requests to every served operation of Azure Billing and of Azure Consumption and
judges each answer.

schemathesis makes them from the published descriptions, valid and invalid ones; `fuzz_cases.py` and
`fuzz_consumption.py` put names and words of the demo in, `fuzz_answers.py` says what an answer must
be. RECKONER_FUZZ says how many cases of a kind each operation gets, RECKONER_SEED which; names
behind it (`billing`, `consumption`) say which contracts are asked by, else all are.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import shlex
import sys
import tempfile
import time
import types
import typing
import zlib

import billing
import consumption
import fuzz_answers
import fuzz_cases
import fuzz_consumption
import hypothesis
import plain
import requests
import schemathesis
import servers
from fuzz_answers import Wrong
from schemathesis import GenerationMode

SPECS = pathlib.Path(os.environ.get("RECKONER_SPECS") or servers.ROOT.parent / "shared/specs")
# Cases of a kind, so many that all take about two minutes.
CASES = "5"
# Seconds after which an answer counts as missing, and what takes its time as never ending.
ANSWER_S, END_S = 30, 60
# Pages of a list that are read on.
PAGES_MOST = 3
# Rounds of valid requests after the first, while none has succeeded.
MORE_MOST = 6
SUCCESS = (200, 201, 202, 204)
# Listed by POST; further pages, and so the first one too, are got at the same address.
GOT_TOO = "BillingAccounts_ListInvoiceSectionsByCreateSubscriptionPermission"
# What is downloaded.
FILES = {"text/csv", "application/zip", "application/pdf"}
# Groups whose changes leave things elsewhere, or answered.
MOVING = ("BillingSubscriptions_", "Products_", "Recipient", "Partner", "Transfers_")
# What a document of an invoice is downloaded by POST and opened by its address.
OPENED, OPENS = "/invoices/{invoiceName}/download", ("GET", "HEAD")
# Answers that never came after which nothing more is asked.
MISSING_MOST = 5


class Contract(typing.NamedTuple):
    """An API whose descriptions are asked by: `words` knows the names and the words of its
    parameters, `lists` the statuses of its operations, `unread` members of bodies that are not
    looked at; `prepare` is called before anything is removed."""

    name: str
    file: str
    versions: tuple
    served: typing.Callable
    words: types.ModuleType
    lists: typing.Callable
    unread: typing.Callable
    prepare: typing.Callable


class Version:
    """One version's description, what is served of it, and what the demo has."""

    def __init__(self, contract, version, context):
        folder = SPECS / contract.name / version
        described = fuzz_answers.read(folder / contract.file)
        document, operations = described
        # Another method may be another operation.
        paths = document["paths"].items()
        self.published = {(verb.upper(), path) for path, verbs in paths for verb in verbs}
        self.version, self.served = version, contract.served(version)
        self.contract, self.words, lists = contract, contract.words, contract.lists()
        unread = contract.unread()
        self.answers = fuzz_answers.Answers(version, described, self.served, lists, unread)
        self.known = self.words.Known(context, plain.Reader(context), version)
        schema = schemathesis.openapi.from_dict(document)
        schema.config.generation.update(with_security_parameters=False)
        self.config = schema.config.generation
        made = [result.ok() for result in schema.get_all_operations()]
        self.made = {of.definition.raw["operationId"]: of for of in made}
        self.examples = {id: fuzz_cases.examples(folder, operations[id]) for id in self.served}

    def borders(self, operation):
        """The cases that schemathesis finds at the borders of the description."""
        made = self.made[operation]
        modes = list(GenerationMode)
        found = made.schema.iter_coverage_cases(
            made, generation_modes=modes, generation_config=self.config
        )
        own, path = self.served[operation]
        others = self.published | {(verb, path) for verb in OPENS if path.endswith(OPENED)}
        return [
            case for case in found if case.method == own or (case.method, case.path) not in others
        ]

    def cases(self, operation, mode):
        made, examples = self.made[operation], self.examples[operation]
        return self.words.cases(self.known, operation, made, mode, examples)

    def may_succeed(self, operation):
        may, _ = self.answers.lists[operation]
        return not may.isdisjoint(SUCCESS)


class Run:
    """All requests of a run, and what was wrong with their answers."""

    def __init__(self, context, seed, count):
        self.context, self.seed, self.count = context, seed, count
        self.sessions = {who: self.session(of) for who, of in context["clients"].items()}
        self.statuses, self.faults = collections.Counter(), {}
        self.accepted, self.missing, self.ended, self.files = [], 0, 0, 0

    def session(self, client):
        session = requests.Session()
        session.trust_env, session.verify = False, self.context["ca_file"]
        session.headers["Authorization"] = f"Bearer {client['token']}"
        return session

    def operation(self, version, operation):
        """Borders first, then as many valid and invalid requests as asked for."""
        seed = zlib.crc32(f"{self.seed} {version.version} {operation}".encode())
        chosen = random.Random(seed)
        borders = version.borders(operation)
        chosen.shuffle(borders)
        for case in borders[: 2 * self.count]:
            who = version.words.place(version.known, operation, case, chosen)
            self.send(version, operation, case, who)
        for mode in GenerationMode:
            self.random(version, operation, mode, seed)
        # Chance may have left out all that succeeds: then some more.
        for more in range(1, MORE_MOST):
            if self.has_reached(version, operation) or not version.may_succeed(operation):
                break
            self.random(version, operation, GenerationMode.POSITIVE, seed + more)

    def random(self, version, operation, mode, seed):
        """As many requests of a kind as asked for."""
        send = hypothesis.given(version.cases(operation, mode))(
            lambda drawn: self.send(version, operation, *drawn)
        )
        settings = hypothesis.settings(
            max_examples=self.count,
            phases=[hypothesis.Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        # Nothing is invalid where the description declares nothing but names.
        with contextlib.suppress(hypothesis.errors.Unsatisfiable):
            hypothesis.seed(seed)(settings(send))()

    def has_reached(self, version, operation):
        return any(self.statuses[version.version, operation, of] for of in SUCCESS)

    def send(self, version, operation, case, who):
        """One request; what is wrong is noted, so that one fault hides no other."""
        if self.missing > MISSING_MOST:
            return
        try:
            asked = case.as_transport_kwargs(base_url=self.context["base_url"])
            request = requests.Request(**asked)
            request = self.sessions[who].prepare_request(request)
        except (requests.RequestException, ValueError):
            self.statuses["that no client could send"] += 1
            return
        answer = self.call(version, operation, who, request)
        if answer is None:
            return
        self.statuses[version.version, operation, answer.status_code] += 1
        is_got_too = operation == GOT_TOO and case.method == "GET"
        is_wrong_method = case.method != version.served[operation][0] and not is_got_too
        self.judge(version, operation, who, answer, is_wrong_method=is_wrong_method)
        if answer.status_code in SUCCESS and not is_wrong_method:
            self.taken(version, operation, who, answer, case.body)
        if answer.status_code == 202:
            self.accepted.append((version, operation, who, answer))
        self.pages(version, operation, who, answer)

    def call(self, version, operation, who, request):
        session = self.sessions[who]
        try:
            return session.send(
                request, verify=session.verify, timeout=ANSWER_S, allow_redirects=False
            )
        except requests.RequestException as problem:
            self.missing += 1
            self.note(version, operation, who, request, Wrong("no answer", repr(problem)[:300]))

    def judge(self, version, operation, who, answer, **about):
        try:
            version.answers.check(operation, answer, **about)
        except Wrong as wrong:
            self.note(version, operation, who, answer.request, wrong)

    def taken(self, version, operation, who, answer, body):
        try:
            version.answers.taken(operation, body)
        except Wrong as wrong:
            self.note(version, operation, who, answer.request, wrong)

    def pages(self, version, operation, who, answer):
        """The pages that follow are as the first."""
        for _ in range(PAGES_MOST):
            try:
                found = answer.json() if answer.status_code == 200 else None
            except ValueError:
                return
            link = found.get("nextLink") if isinstance(found, dict) else None
            if not link:
                return
            request = self.sessions[who].prepare_request(requests.Request("GET", link))
            answer = self.call(version, operation, who, request)
            if answer is None:
                return
            self.judge(version, operation, who, answer)

    def ends(self):
        """What was accepted ends, as the resource or as an error of the same operation."""
        accepted, self.accepted = self.accepted, []
        for version, operation, who, answer in accepted:
            links = [answer.headers.get("Azure-AsyncOperation"), answer.headers.get("Location")]
            for link in filter(None, links):
                request = self.sessions[who].prepare_request(requests.Request("GET", link))
                is_status = link == links[0]
                self.end(version, operation, who, request, is_status)

    def end(self, version, operation, who, request, is_status):
        until = time.monotonic() + END_S
        # What is refused is no true value, so `None` is asked for by name.
        while (answer := self.call(version, operation, who, request)) is not None:
            try:
                is_running = fuzz_answers.is_running(answer, is_status)
            except Wrong as wrong:
                return self.note(version, operation, who, request, wrong)
            if not is_running:
                break
            if time.monotonic() > until:
                wrong = Wrong("never ends", answer.text[:300])
                return self.note(version, operation, who, request, wrong)
            time.sleep(int(answer.headers["Retry-After"]))
        if answer is not None:
            self.ended += 1
            if not is_status:
                self.judge(version, operation, who, answer, has_ended=True)
                self.file(version, operation, who, answer)

    def file(self, version, operation, who, answer):
        """The link that a download ends with leads to a file, whoever follows it."""
        if "Download" not in operation or answer.status_code != 200:
            return
        try:
            link = answer.json()["url"]
            file = requests.get(link, verify=self.context["ca_file"], timeout=ANSWER_S)
            kind = file.headers.get("Content-Type", "").split(";")[0]
            if file.status_code != 200 or kind not in FILES or not file.content:
                raise Wrong("no file behind a link", f"{file.status_code} {kind} {file.text[:300]}")
            self.files += 1
        except (requests.RequestException, ValueError, KeyError) as problem:
            wrong = Wrong("no file behind a link", repr(problem)[:300])
            self.note(version, operation, who, answer.request, wrong)
        except Wrong as wrong:
            self.note(version, operation, who, answer.request, wrong)

    def note(self, version, operation, who, request, wrong):
        first = (wrong, curl(self.context, who, request))
        entry = self.faults.setdefault((version.version, operation, wrong.rule), [0, first])
        entry[0] += 1

    def tell(self, versions):
        """Prints what was asked and what was wrong; gives how much was wrong."""
        for (version, operation, rule), (times, (wrong, command)) in self.faults.items():
            print(f"FAILED {version} {operation}: {rule}, {times} times")
            print(f"  {wrong.found}\n  {command}")
        asked = sum(self.statuses.values())
        by_status = collections.Counter()
        for key, times in self.statuses.items():
            by_status[key[2] if isinstance(key, tuple) else key] += times
        told = ", ".join(f"{times} {of}" for of, times in sorted(by_status.items(), key=str))
        print(f"{asked} requests: {told}; {self.ended} that took their time ended")
        print(f"{self.files} links led to files")
        unreached = []
        for version in versions:
            for operation in version.served:
                if not self.has_reached(version, operation) and version.may_succeed(operation):
                    unreached.append(f"{version.version} {operation}")
        for one in unreached:
            print(f"FAILED {one}: never answered with success; the cases do not reach it")
        return len(self.faults) + len(unreached)


def curl(context, who, request):
    """A command that asks the same, with the token of the one who asked."""
    words = [f'curl --cacert "$CA_FILE" -H "Authorization: Bearer ${who.upper()}"']
    words += ["-X", request.method]
    for name in ("Content-Type", "If-Match", "If-None-Match"):
        if name in request.headers:
            words += ["-H", shlex.quote(f"{name}: {request.headers[name]}")]
    if request.body:
        body = request.body
        body = body.decode(errors="backslashreplace") if isinstance(body, bytes) else body
        words += ["-d", shlex.quote(body)]
    path = request.url.removeprefix(context["base_url"])
    return " ".join([*words, f'"$URL"{shlex.quote(path)}'])


def give_roles(context):
    """Gives everybody a role at a place of each level: the last one there cannot be taken."""
    client = billing.Plain(context)
    asks = []
    # An enrollment account's owner first: only it lets others make subscriptions.
    for who, of in sorted(context["clients"].items(), key=lambda row: row[0] != "owner"):
        for place, (by, definition) in billing.PLACES.items():
            body = {"principalId": of["client_id"], "billingRoleDefinitionId": definition}
            own = billing.names(client)[place]
            asks.append(billing.ask(f"BillingRoleAssignments_AddBy{by}", own, body=body))
        for place, rows in billing.ENTERPRISE_PLACES.items():
            definition = rows[0 if who == "owner" else -1][1]
            asks.append(billing.enterprise_role(client, place, who, definition)[0])
    for asked in asks:
        status, answer = client.answer(asked, billing.FIRST)
        assert status in (200, 201, 403, 409), (asked, status, answer)


# Reads on the demo as it was made, but for budgets; changes, removals of what they left, and reads
# of all that.
PASSES = ({"GET"}, {"PUT", "PATCH", "POST"}, {"DELETE"}, {"GET"})


CONTRACTS = (
    Contract(
        name="microsoft-consumption",
        file="consumption.json",
        versions=consumption.VERSIONS,
        served=consumption.served,
        words=fuzz_consumption,
        lists=fuzz_answers.consumption_lists,
        unread=frozenset,
        prepare=lambda context: None,
    ),
    Contract(
        name="microsoft-billing",
        file="billing.json",
        versions=(billing.FIRST, billing.SECOND),
        served=billing.served,
        words=fuzz_cases,
        lists=fuzz_answers.billing_lists,
        unread=fuzz_answers.unread,
        prepare=give_roles,
    ),
)


def fuzz(context, names, seed, count):
    contracts = [of for of in CONTRACTS if of.name in names]
    versions = [Version(of, name, context) for of in contracts for name in of.versions]
    run = Run(context, seed, count)
    for verbs in PASSES:
        for version in versions:
            if "DELETE" in verbs:
                version.contract.prepare(context)
            version.known.renew()
            for operation, (verb, _) in version.served.items():
                if verb in verbs:
                    run.operation(version, operation)
                    run.ends()
                    if verb != "GET" and operation.startswith(MOVING):
                        version.known.renew()
    return run.tell(versions)


def main():
    if not SPECS.exists():
        print(f"LEFT OUT: schemathesis ({SPECS} is not there; set RECKONER_SPECS)")
        sys.exit(os.environ.get("CI") == "true")
    every = [of.name for of in CONTRACTS]
    names = [f"microsoft-{name}" for name in sys.argv[1:]] or every
    assert set(names) <= set(every), f"{names} are not all of {every}"
    seed, count = os.environ.get("RECKONER_SEED", "1"), os.environ.get("RECKONER_FUZZ", CASES)
    if sys.flags.hash_randomization:
        # Else the same seed would make other requests: schemathesis walks sets.
        again = os.environ | {"PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, *sys.argv], again)
    print(f"RECKONER_SEED={seed} RECKONER_FUZZ={count}")
    # What is looked at are answers, not how many a second one may have.
    os.environ["RECKONER_LIMITS__REQUESTS_PER_SECOND"] = "100000"
    os.environ["RECKONER_LIMITS__REQUEST_BURST"] = "100000"
    with tempfile.TemporaryDirectory() as place:
        with servers.demo(pathlib.Path(place), servers.build()) as file:
            faults = fuzz(json.loads(file.read_text()), names, seed, int(count))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
