"""What azure-mgmt-billing, or a client generated like it, reads and writes, unmodified."""

from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged
from azure.core.polling import LROPoller
from azure.mgmt.billing import BillingManagementClient

import azure_python
import models


class Client:
    """Does asks by the methods that the client has for operations."""

    def __init__(self, context, made=BillingManagementClient):
        self.context, self.made, self.clients = context, made, {}

    def of(self, who, subscription):
        if (who, subscription) not in self.clients:
            credential = azure_python.credential(self.context, who=who)
            base_url = self.context["base_url"]
            client = self.made(credential, subscription, base_url=base_url)
            self.clients[who, subscription] = client
        return self.clients[who, subscription]

    def answer(self, asked):
        """JSON by the contract's names: a whole list, or what a change ended with."""
        names = dict(asked["names"])
        client = self.of(asked["who"], names.pop("subscriptionId", "none"))
        method = models.method(client, asked["operation"])
        wanted, more = models.options(asked)
        words = [*names.values(), *wanted, *([asked["body"]] if asked["body"] is not None else [])]
        found = method(*words, **more)
        if isinstance(found, LROPoller):
            found = found.result(60)
        if isinstance(found, ItemPaged):
            return models.wire(list(found))
        return models.rows(models.wire(found))

    def refusal(self, asked):
        """Status, code and message."""
        try:
            answer = self.answer(asked)
        except HttpResponseError as refusal:
            return refusal.status_code, refusal.error.code, refusal.error.message
        raise AssertionError(f"{asked} was answered with {answer}")
