"""What azure-identity and azure-mgmt-commerce read, unmodified."""

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.mgmt.commerce import UsageManagementClient

import plain
from models import wire


def credential(context, secret=None, who="reader"):
    client = context["clients"][who]
    return ClientSecretCredential(
        context["tenant_id"],
        client["client_id"],
        secret or client["client_secret"],
        authority=context["base_url"],
        disable_instance_discovery=True,
    )


def commerce(context, secret=None):
    own = context["subscriptions"]["own"]
    return UsageManagementClient(credential(context, secret), own, base_url=context["base_url"])


def usage(context, granularity, details):
    """Rows by the contract's names, and the number of pages."""
    window = context["usage_window"]
    pages = commerce(context).usage_aggregates.list(
        plain.instant(window["from"]),
        plain.instant(window["to"]),
        show_details=details,
        aggregation_granularity=granularity,
    )
    rows, count = [], 0
    for page in pages.by_page():
        rows, count = rows + [wire(row) for row in page], count + 1
    return rows, count


def card(context):
    return wire(commerce(context).rate_card.get(plain.card_filter(context)))


def refuses_a_bad_secret(context):
    try:
        commerce(context, secret="not the secret").rate_card.get(plain.card_filter(context))
    except ClientAuthenticationError as refusal:
        assert "AADSTS7000215" in str(refusal), refusal
    else:
        raise AssertionError("a bad secret was taken")
