"""`az` from nothing: it registers the cloud, signs in and reads, unmodified."""

import json
import os
import pathlib
import subprocess

import billing
import node_client
import plain
import servers

AZ = servers.ROOT / ".tools/az/bin/az"


def signs_in_and_reads(tally, place, program):
    with servers.demo(place, program) as file:
        context = json.loads(file.read_text())
        client = context["clients"]["reader"]
        own = context["subscriptions"]["own"]
        environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(place / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": context["ca_file"],
        }

        def az(*words):
            words = [AZ, *words, "--only-show-errors", "--output", "json"]
            done = subprocess.run(
                words, env=environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stderr[-4000:]
            return plain.parse(done.stdout) if done.stdout.strip() else None

        az("cloud", "register", "-n", "Reckoner", "--endpoint-resource-manager", context["base_url"])
        az("cloud", "set", "-n", "Reckoner")
        secret, tenant = client["client_secret"], context["tenant_id"]
        who = ["-u", client["client_id"], "-p", secret, "--tenant", tenant]
        subscriptions = az("login", "--service-principal", *who)
        assert own in [one["id"] for one in subscriptions], subscriptions

        def reads_the_card():
            query = f"api-version={plain.VERSION}"
            place = f"/subscriptions/{own}/providers/Microsoft.Commerce/RateCard?{query}"
            filter = plain.card_filter(context).replace(" ", "%20").replace("'", "%27")
            read = az("rest", "--url", f"{context['base_url']}{place}&%24filter={filter}")
            plain.same(plain.Reader(context).card(), read, "card")

        tally.check("az rest reads the rate card", reads_the_card)

        def lists_the_accounts():
            asked = billing.ask("BillingAccounts_List", who="reader")
            accounts = node_client.flat(billing.Plain(context).read(asked))
            plain.same(accounts, az("billing", "account", "list"), "accounts")
            return f"{len(accounts)} accounts"

        tally.check("az billing account list", lists_the_accounts)
        return f"signed in, {len(subscriptions)} subscriptions"
