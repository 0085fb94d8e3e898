"""Runs `az`, unmodified, and reads what it says."""

import concurrent.futures
import os
import re
import subprocess

import plain
import servers

AZ = servers.ROOT / ".tools/az/bin/az"


class Az:
    """Runs commands as one of the context's clients, with a configuration of its own."""

    def __init__(self, context, who, place):
        self.context, self.client = context, context["clients"][who]
        self.environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(place / f"az-{who}"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": context["ca_file"],
        }

    def run(self, words):
        words = [AZ, *words, "--only-show-errors", "--output", "json"]
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=300
        )

    def runs(self, many):
        """What each of many commands ended with; a few run at the same time."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.run, many))

    def answer(self, *words):
        return answered(self.run(words))

    def registers(self):
        """Registers the server as a cloud."""
        endpoint = ["--endpoint-resource-manager", self.context["base_url"]]
        self.answer("cloud", "register", "-n", "Reckoner", *endpoint)
        self.answer("cloud", "set", "-n", "Reckoner")

    def login(self, secret):
        who = ["-u", self.client["client_id"], "-p", secret]
        words = ["login", "--service-principal", *who, "--tenant", self.context["tenant_id"]]
        return self.run(words)

    def signs_in(self):
        """Gives the subscriptions."""
        return answered(self.login(self.client["client_secret"]))


def answered(done):
    """The JSON of a command that succeeded, or nothing."""
    assert done.returncode == 0, (done.args, done.stderr[-4000:])
    return plain.parse(done.stdout) if done.stdout.strip() else None


def refused(done):
    """Code and message that a command of a group says."""
    assert done.returncode, (done.args, done.stdout[-4000:])
    said = re.search(r"^Code: (.*)\nMessage: (.*)$", done.stderr, re.MULTILINE)
    assert said, (done.args, done.stderr[-4000:])
    return said.groups()


def refused_rest(done):
    """The answer that `az rest` shows."""
    assert done.returncode == 1, (done.args, done.stdout[-4000:])
    said = re.search(r"^ERROR: [A-Za-z ]+\((\{.*\})\)$", done.stderr, re.DOTALL)
    assert said, (done.args, done.stderr[-4000:])
    return plain.parse(said[1])
