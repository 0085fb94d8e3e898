"""Every client of Azure Consumption against a plain one, which asks in both versions."""

import json
import os

from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.mgmt.consumption import ConsumptionManagementClient

import azure_python
import models
import node_client
import oav
import plain
import servers
from billing_clients import knows_all
from consumption import VERSIONS, WANTED, Plain, asks, is_refused, served
from consumption_money import Figures

RECOMMENDATIONS = "ReservationRecommendations_List"
RECOMMENDED = "ReservationRecommendationDetails_Get"
# What @azure/arm-consumption 9.2.0 cannot ask, because its name is that of the address's scope.
UNSAID = {RECOMMENDED: "scope"}
# What @azure/arm-consumption 9.2.0 reads of a recommendation, which it takes for a usage detail:
# what both have, and what stands beside `properties`.
AS_DETAIL = {"id", "name", "type", "location", "sku", "kind", "meterId", "term", "subscriptionId"}


class Python:
    """azure-mgmt-consumption, unmodified; its own hook keeps what it is answered for `oav`."""

    def __init__(self, context, traffic):
        self.context, self.traffic, self.clients = context, traffic, {}

    def of(self, who, subscription):
        if (who, subscription) not in self.clients:
            self.clients[who, subscription] = ConsumptionManagementClient(
                azure_python.credential(self.context, who=who),
                subscription,
                base_url=self.context["base_url"],
                raw_response_hook=self.keeps,
            )
        return self.clients[who, subscription]

    def keeps(self, answered):
        request, answer = answered.http_request, answered.http_response
        body = json.loads(request.body) if request.body else None
        text = answer.text()
        told = json.loads(text) if text else None
        self.traffic.note(
            request.method, request.url, body, answer.status_code, answer.headers, told
        )

    def answer(self, asked):
        of = dict(asked["names"])
        client = self.of(asked["who"], of.pop("subscriptionId", "none"))
        words = list(of.values()) + [asked["query"][name] for name in asked["wanted"]]
        words += [asked["body"]] if asked["body"] is not None else []
        more = {
            models.snake(name.removeprefix("$")): int(value) if name == "$top" else value
            for name, value in asked["query"].items()
            if name not in asked["wanted"]
        }
        found = models.method(client, asked["operation"])(*words, **more)
        if isinstance(found, ItemPaged):
            return models.wire(list(found))
        return models.rows(models.wire(found))

    def says(self, asked):
        """What of an ask it can say."""
        return asked

    def reads(self, operation, answer):
        """What it makes of a plain answer.

        A legacy recommendation has two discriminators, `kind` and `properties.scope`. It lays the
        properties flat: it writes the first one's value into both, and has no members of the
        classes that the second tells apart.
        """
        if operation != RECOMMENDATIONS or not answer:
            return answer
        return [legacy_as_read(row) if row["kind"] == "legacy" else row for row in answer]

    def told(self, asks):
        """What comes of each ask: {"value": …} or {"refused": [status, code, message]}."""
        return [self.tried(asked) for asked in asks]

    def tried(self, asked):
        try:
            return {"value": self.answer(asked)}
        except HttpResponseError as refusal:
            return {"refused": [refusal.status_code, refusal.error.code, refusal.error.message]}


class Node:
    """@azure/arm-consumption, unmodified."""

    def __init__(self, file, context):
        self.file, self.context = file, context

    def says(self, asked):
        """What of an ask it can say."""
        unsaid = UNSAID.get(asked["operation"])
        query = {name: value for name, value in asked["query"].items() if name != unsaid}
        return asked | {"query": query, "wanted": [one for one in asked["wanted"] if one != unsaid]}

    def reads(self, operation, answer):
        """What it makes of a plain answer: laid flat.

        It looks for the class of a `kind` among those of all resources, where usage details of the
        same kinds come first: it reads a recommendation as one of them.
        """
        answer = node_client.flat(answer)
        if operation != RECOMMENDATIONS or not answer:
            return answer
        return [{name: row[name] for name in row if name in AS_DETAIL} for row in answer]

    def told(self, asks):
        """The same, with the answers laid flat."""
        return node_client.consumption(self.file, self.context, list(map(self.says, asks)))


def legacy_as_read(row):
    """A legacy recommendation as `Python.reads` says."""
    properties = {name: one for name, one in row["properties"].items() if name != "subscriptionId"}
    return row | {"properties": properties | {"scope": row["kind"]}}


def unpaged(answer):
    """The rows of a list that the contract does not page, as `models.rows` has them."""
    is_list = isinstance(answer, dict) and isinstance(answer.get("value"), list)
    return answer["value"] if is_list else answer


def by_customer(context):
    """What azure-mgmt-consumption 10.0.0 has beside what its description has."""
    partner = context["accounts"]["mpa"]
    of = {"billingAccountId": partner["billing_account"], "customerId": partner["customer"]}
    place = "/providers/Microsoft.Billing/billingAccounts/{billingAccountId}/customers/{customerId}"
    path = f"{place.format(**of)}/providers/Microsoft.Consumption/lots"
    asked = {"operation": "Lots_ListByCustomer", "verb": "GET", "path": path, "names": of}
    return asked | {"query": {}, "body": None, "who": "owner", "wanted": []}


def recommended(own, questions):
    """An ask for the details of each recommendation that the lists of the questions tell."""
    for listed in (asked for asked in questions if asked["operation"] == RECOMMENDATIONS):
        for row in own.read(listed) or []:
            told = row["properties"]
            query = {"scope": told["scope"], "region": row["location"], "term": told["term"]}
            query |= {"lookBackPeriod": "Last7Days", "product": row["sku"]}
            path = f"{listed['path'].removesuffix('s')}Details"
            asked = {"operation": RECOMMENDED, "path": path, "query": query, "answers": [200]}
            yield listed | asked | {"wanted": WANTED[RECOMMENDED]}


def add_recommended(own, questions):
    """Adds them to the questions."""
    found = list(recommended(own, questions))
    assert found, "the demo has something to recommend"
    questions.extend(found)
    return f"{len(found)} of them"


def settled(answer):
    """Without what changes from one answer to the next: tokens of links."""
    if isinstance(answer, dict):
        of = {name: one for name, one in answer.items() if name != "nextLink"}
        return of | {"properties": settled(of["properties"])} if "properties" in of else of
    return answer


class Flows:
    """What one client is asked, and whether the answers are those of a plain client."""

    def __init__(self, tally, own, client, plain_client):
        """`own` is how the client is called."""
        self.tally, self.own, self.client = tally, own, client
        self.plain, self.asked = plain_client, set()

    def check(self, what, rule):
        self.tally.check(f"demo: {self.own}, {what}", rule)

    def run(self, questions):
        reads, told = [asked for asked in questions if asked["verb"] == "GET"], []
        self.check("answers", lambda: told.extend(self.client.told(reads)))
        for asked, one in zip(reads, told):
            rule = self.refused if is_refused(asked) else self.answered
            about = f"{asked['operation']} {asked['path']}"
            self.check(about, lambda asked=asked, one=one, rule=rule: rule(asked, one))
        [budget] = [asked for asked in questions if asked["verb"] == "PUT"]
        self.check("a budget is kept, changed and dropped", lambda: self.keeps(budget))
        self.check("every operation that is served", self.everything)

    def tell(self, asked):
        [told] = self.client.told([asked])
        return told

    def answered(self, asked, told):
        """A client is answered what a plain one is."""
        assert "value" in told, (asked, told)
        expected = self.plain.read(self.client.says(asked))
        self.compare(asked, expected, told["value"])
        return f"{len(expected)} rows" if isinstance(expected, list) else None

    def compare(self, asked, expected, read):
        expected = self.client.reads(asked["operation"], settled(expected))
        read = settled(unpaged(read))
        plain.same(expected, read, asked["operation"])
        knows_all(expected, read, asked["operation"])
        self.asked.add(asked["operation"])

    def refused(self, asked, told):
        status, answer = self.plain.answer(asked)
        error = answer["error"]
        expected = {"refused": [status, error["code"], error["message"]]}
        assert told == expected, (asked, told, expected)
        self.asked.add(asked["operation"])
        return status

    def keeps(self, put):
        """Whoever knows the newest eTag may change a budget, and nobody who knows another."""
        scope = put["names"]["scope"]
        path = f"/{scope}/providers/Microsoft.Consumption/budgets"
        of = {"scope": scope, "budgetName": f"clients-{self.own[:5]}"}
        one = put | {"names": of, "path": f"{path}/{of['budgetName']}", "wanted": []}
        asks = lambda verb, name, body=None: one | {
            "operation": f"Budgets_{name}", "verb": verb, "body": body
        }
        get, take = asks("GET", "Get"), asks("DELETE", "Delete")
        made = self.puts(asks("PUT", "CreateOrUpdate", put["body"]), get)
        told = put["body"]["properties"] | {"amount": 250.5}
        change = lambda tag: asks("PUT", "CreateOrUpdate", {"eTag": tag, "properties": told})
        changed = self.puts(change(made["eTag"]), get)
        assert changed["eTag"] != made["eTag"] and changed["properties"]["amount"] == 250.5, changed
        stale = change(made["eTag"])
        assert self.refused(stale, self.tell(stale)) == 409
        listed = asks("GET", "List") | {"path": path, "names": {"scope": scope}}
        self.answered(listed, self.tell(listed))
        assert of["budgetName"] in [one["name"] for one in self.plain.read(listed)]
        assert "value" in self.tell(take), take
        self.asked.add(take["operation"])
        assert self.refused(get, self.tell(get)) == 404

    def puts(self, asked, get):
        """What a client is answered is what is there; gives that."""
        told = self.tell(asked)
        assert "value" in told, (asked, told)
        found = self.plain.read(get)
        self.compare(asked, found, told["value"])
        return found

    def everything(self):
        missing = set(served()) - self.asked
        assert not missing, f"not asked: {sorted(missing)}"
        return f"{len(self.asked)} operations"


def plainly(tally, context, traffic):
    """Each scenario of each version answers as it says."""
    for version in VERSIONS:
        client = Plain(context, traffic, version)
        for asked in asks(context, version):

            def answers(client=client, asked=asked):
                status, answer = client.answer(asked)
                assert status in asked["answers"], (status, answer)

            tally.check(f"demo: plain client, {version} {asked['operation']}", answers)


def the_demo(tally, place, program):
    with servers.demo(place, program) as file:
        context = json.loads(file.read_text())
        os.environ["REQUESTS_CA_BUNDLE"] = context["ca_file"]
        traffic = oav.Traffic(place / "traffic")
        plainly(tally, context, traffic)
        own, questions = Plain(context, traffic), asks(context)
        budget = next(asked for asked in questions if asked["verb"] == "PUT")
        tally.check("demo: a budget to read", lambda: own.read(budget) and None)
        tally.check("demo: recommendations to read", lambda: add_recommended(own, questions))
        python, node = Python(context, traffic), Node(file, context)
        flows, customer = Flows(tally, "azure-mgmt-consumption", python, own), by_customer(context)
        flows.run(questions)
        none = lambda: flows.refused(customer, flows.tell(customer))
        flows.check(f"{customer['operation']}, which is not described", none)
        Flows(tally, "arm-consumption", node, own).run(questions)
        Figures(tally, own).run()
    oav.run(tally, traffic)
