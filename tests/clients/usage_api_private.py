"""No callback leads to an address that is nobody's on the internet: the kernel counts the packets.

In a network namespace every address is the machine's own: whatever is called can be reached. There
the program is asked to call hostile addresses of all spellings, names that lead to them at
once or later, and receivers that lead on to them. See `usage_api_inside.py` for what is done there.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

INSIDE = pathlib.Path(__file__).parent / "usage_api_inside.py"
# How many addresses of each kind; `make prove` asks for more.
MANY = int(os.environ.get("RECKONER_ADDRESSES", "600"))
SEED = int(os.environ.get("RECKONER_SEED", "1"))


def namespace():
    """The words that run a command in namespaces of its own; root needs no other user for it."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--net", "--mount"]


def missing():
    """Why there is no such namespace here; nothing where there is one."""
    for tool in ("unshare", "ip", "mount"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    words = [*namespace(), sys.executable, INSIDE, "probe"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    said = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (said or ["it ended without a word"])[-1]


def sends_nothing(place, program):
    asked = {"program": str(program), "place": str(place), "many": MANY, "seed": SEED}
    words = [*namespace(), sys.executable, INSIDE, json.dumps(asked)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=4 * 3600)
    assert done.returncode == 0, f"seed {SEED}: {done.stdout[-2000:]}{done.stderr[-6000:]}"
    return done.stdout.strip()


def run(tally, place, program):
    why = missing()
    if why:
        tally.leave_out(f"packets of callbacks to private addresses (no network namespace: {why})")
        return
    own = place / "private"
    own.mkdir()
    name = "callbacks send no packet to an address that is nobody's"
    tally.check(name, sends_nothing, own, program)
