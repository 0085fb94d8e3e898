// Verifies deliveries with `standardwebhooks` of npm; prints as JSON what is wrong with each.
// Argument: the folder with node_modules. Deliveries come in as `usage_api_verify.py` has them.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.argv[2], "package.json"));
const { Webhook, WebhookVerificationError } = load("standardwebhooks");

function problem({ secret, headers, body, at_ms: atMs }) {
  // A timestamp is judged as of when it came.
  Date.now = () => atMs;
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers, { jsonParse: false });
  } catch (why) {
    if (!(why instanceof WebhookVerificationError)) throw why;
    return why.message || why.name;
  }
  return null;
}

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line.trim());
process.stdout.write(JSON.stringify(lines.map((line) => problem(JSON.parse(line)))));
