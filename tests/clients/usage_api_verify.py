"""Verifies deliveries with `standardwebhooks` of PyPI; prints as JSON what is wrong with each.

Run by .tools/usage. One delivery a line comes in, as JSON: `secret`, `headers`, `body` in base64
and `at_ms`, when it came, in milliseconds since 1970: a timestamp is judged as of then. The same is
done with the package of npm by `usage_api_verify.mjs`.
"""

import base64
import datetime
import json
import sys

from standardwebhooks import webhooks


class AsOfThen(datetime.datetime):
    """What the package takes for its clock."""

    at_ms = 0

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(cls.at_ms / 1000, tz)


def problem(delivery):
    """Nothing where all is as it must be."""
    AsOfThen.at_ms = delivery["at_ms"]
    body = base64.b64decode(delivery["body"])
    try:
        webhooks.Webhook(delivery["secret"]).verify(body, delivery["headers"], json_parse=False)
    except webhooks.WebhookVerificationError as why:
        return str(why) or type(why).__name__
    return None


webhooks.datetime = AsOfThen
print(json.dumps([problem(json.loads(line)) for line in sys.stdin if line.strip()]))
