"""Does asks with azure-mgmt-billing 1.0.0, unmodified; prints the answers as JSON.

Run by .tools/older, as its packages do not go with those of the others. Argument: the context file.
The asks come in as JSON.
"""

import inspect
import json
import pathlib
import sys

from azure.mgmt.billing import BillingManagementClient
from msrest.authentication import BasicTokenAuthentication
from msrest.exceptions import HttpOperationError
from msrest.paging import Paged
from msrest.polling import LROPoller

import models

CONTEXT = json.loads(pathlib.Path(sys.argv[1]).read_text())


def client(who, subscription):
    token = {"access_token": CONTEXT["clients"][who]["token"]}
    credential = BasicTokenAuthentication(token)
    made = BillingManagementClient(credential, subscription, base_url=CONTEXT["base_url"])
    made.config.connection.verify = CONTEXT["ca_file"]
    return made


def answer(asked):
    names = dict(asked["names"])
    own = client(asked["who"], names.pop("subscriptionId", "none"))
    method = models.method(own, asked["operation"])
    words, body = {"expand": asked["expand"]} if asked["expand"] else {}, asked["body"]
    if body is not None:
        taken = [name for name in inspect.signature(method).parameters if name in BODIES]
        # A body of one or two members is laid flat.
        laid = {models.snake(name): value for name, value in body.get("properties", body).items()}
        words |= {taken[0]: body} if taken else laid
    found = method(*names.values(), **words)
    if isinstance(found, LROPoller):
        found = found.result(60)
    return models.wire(list(found) if isinstance(found, Paged) else found)


# What the methods call a body.
BODIES = {"parameters", "address"}


def told(asked):
    try:
        return {"value": answer(asked)}
    except HttpOperationError as refusal:
        error = refusal.error.error
        return {"refused": [refusal.response.status_code, error.code, error.message]}


def text(moment):
    return moment.isoformat()


print(json.dumps([told(asked) for asked in json.load(sys.stdin)], default=text))
