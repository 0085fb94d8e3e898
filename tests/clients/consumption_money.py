"""Figures of Azure Consumption against the operator's books."""

from decimal import Decimal

from billing_money import books

# Members of a balance by those that the operator's books have of it.
BALANCE = {
    "adjustments": "adjustments",
    "azureMarketplaceServiceCharges": "marketplace",
    "beginningBalance": "beginning",
    "chargesBilledSeparately": "billed_separately",
    "endingBalance": "ending",
    "newPurchases": "new_purchases",
    "serviceOverage": "service_overage",
    "totalOverage": "total_overage",
    "totalUsage": "total_usage",
    "utilized": "utilized",
}


def total(rows, *members):
    """What members of resources come to."""
    told = [row["properties"].get(member) or Decimal(0) for row in rows for member in members]
    return sum(told, Decimal(0))


class Figures:
    """What a plain client reads of money: the others read the same."""

    def __init__(self, tally, client):
        self.tally, self.client, self.context = tally, client, client.context
        periods = self.context["periods"]
        self.closed, self.periods = periods["closed"], [*periods["closed"], periods["open"]]

    def run(self):
        check = lambda what, rule: self.tally.check(f"demo: Azure Consumption, {what}", rule)
        check("balances are those of the books", self.balances)
        check("details, marketplace and charges come to the balance", self.parts)
        check("details of a closed period come to its invoices", self.invoices)
        check("credit is that of the books", self.credit)

    def scope(self, account, period=None):
        own = self.context["accounts"][account]["billing_account"]
        of = f"/providers/Microsoft.Billing/billingPeriods/{period}" if period else ""
        return f"/providers/Microsoft.Billing/billingAccounts/{own}{of}"

    def read(self, scope, operation, **query):
        path = f"{scope}/providers/Microsoft.Consumption/{operation}"
        asked = {"verb": "GET", "path": path, "query": query, "body": None, "who": "owner"}
        return self.client.read(asked)

    def balance(self, period):
        return self.read(self.scope("ea", period), "balances")["properties"]

    def balances(self):
        """Each member; and a period begins with what the one before ended with."""
        account, before = self.context["accounts"]["ea"]["billing_account"], None
        for period in self.periods:
            month = f"{period[:4]}-{period[4:]}"
            held = books(self.client, f"balance/{month}", billing_account=account)
            told = self.balance(period)
            for member, of in BALANCE.items():
                assert told[member] == Decimal(held[of]), (period, member, told, held)
            assert before in (None, told["beginningBalance"]), (period, before, told)
            before = told["endingBalance"]
        return f"{len(self.periods)} periods"

    def parts(self):
        count = 0
        for period in self.periods:
            told, scope = self.balance(period), self.scope("ea", period)
            details = self.read(scope, "usageDetails")
            assert total(details, "cost") == told["totalUsage"], (period, told)
            marketplace = self.read(scope, "marketplaces")
            charged = told["azureMarketplaceServiceCharges"]
            assert total(marketplace, "pretaxCost") == charged, (period, told)
            if period in self.closed:
                rows = self.read(scope, "charges")
                own = total(rows, "azureCharges", "chargesBilledSeparately")
                assert own == told["totalUsage"], (period, rows, told)
                assert total(rows, "marketplaceCharges") == charged, (period, rows, told)
            count += len(details) + len(marketplace)
        return f"{count} rows"

    def invoices(self):
        """Notes are documents of their own, and so no part of what was invoiced."""
        account, period = self.context["accounts"]["mca"]["billing_account"], self.closed[-2]
        month, charged = f"{period[:4]}-{period[4:]}", Decimal(0)
        for one in books(self.client, "invoices", billing_account=account)["invoices"]:
            invoice = books(self.client, f"invoices/{one['number']}")
            if invoice["period"] == month and invoice["replaces"] is None:
                charged += Decimal(invoice["totals"]["charges"])
        details = self.read(self.scope("mca", period), "usageDetails")
        invoiced = [row for row in details if row["properties"]["chargeType"] != "Refund"]
        told = total(invoiced, "costInBillingCurrency")
        assert told == charged != 0, (period, told, charged)
        return f"{len(invoiced)} of {len(details)} rows, {told}"

    def credit(self):
        """What is left, and the lots that it is left of."""
        account = self.context["accounts"]["mca"]
        scope = f"{self.scope('mca')}/billingProfiles/{account['billing_profile']}"
        told = self.read(scope, "credits/balanceSummary")["properties"]
        held = books(self.client, "balance", billing_account=account["billing_account"])
        lots = [lot for lot in held["lots"] if lot["kind"] == "credit"]
        left = told["balanceSummary"]["estimatedBalance"]
        assert left["value"] == sum(Decimal(lot["available"]) for lot in lots), (told, held)
        assert left["currency"] == held["currency"], (told, held)
        rows = self.read(scope, "lots")
        closed = sum(row["properties"]["closedBalance"]["value"] for row in rows)
        assert closed == told["balanceSummary"]["currentBalance"]["value"], (rows, told)
        return f"{left['value']} {left['currency']} of {len(rows)} lots"
