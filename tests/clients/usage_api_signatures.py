"""Verifies deliveries that tests kept, with both published packages of Standard Webhooks.

Argument: a file of lines as `usage_api_verify.py` takes them. Each must be verified, and none once
a byte of it is another: a verifier that takes anything would say nothing.
"""

import base64
import json
import sys

from usage_api import verified

# Lines that are verified at a time.
PORTION_BYTES = 64 << 20


def portions(path):
    """The deliveries of a file, some at a time."""
    some, size = [], 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            delivery = json.loads(line)
            some.append(delivery | {"body": base64.b64decode(delivery["body"])})
            size += len(line)
            if size > PORTION_BYTES:
                yield some
                some, size = [], 0
    if some:
        yield some


def changed(delivery):
    """The same with another last byte."""
    body = delivery["body"]
    return delivery | {"body": body[:-1] + (b" " if body[-1:] == b"}" else b"}")}


def main(path):
    count = 0
    for some in portions(path):
        for name, problems in verified(some).items():
            wrong = [pair for pair in zip(problems, some, strict=True) if pair[0]]
            assert not wrong, f"{name}: {len(wrong)} wrong, such as {wrong[0]}"
        for name, problems in verified([changed(one) for one in some[:100]]).items():
            assert all(problems), f"{name}: what was changed is verified"
        count += len(some)
    assert count, f"{path} holds no deliveries"
    print(f"{count} deliveries verified by the packages of PyPI and of npm")


main(sys.argv[1])
