// Does asks with @azure/identity and @azure/arm-consumption, unmodified; prints the answers as JSON.
// Arguments: the context file, the folder with node_modules. The asks come in as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [contextFile, tools] = process.argv.slice(2);
const context = JSON.parse(readFileSync(contextFile, "utf8"));
const asks = JSON.parse(readFileSync(0, "utf8"));
const load = createRequire(join(tools, "package.json"));
const { ClientSecretCredential } = load("@azure/identity");
const { ConsumptionManagementClient } = load("@azure/arm-consumption");

const credentials = {};
for (const [who, one] of Object.entries(context.clients)) {
  credentials[who] = new ClientSecretCredential(
    context.tenant_id,
    one.client_id,
    one.client_secret,
    { authorityHost: context.base_url, disableInstanceDiscovery: true },
  );
}

const camel = (name) => name[0].toLowerCase() + name.slice(1);

async function answer({ operation, names, query, wanted, body, who }) {
  const { subscriptionId, ...rest } = names;
  const options = { endpoint: context.base_url };
  const client = new ConsumptionManagementClient(credentials[who], subscriptionId ?? "none", options);
  const [group, name] = operation.split("_");
  const operations = client[camel(group)] ?? client[`${camel(group)}Operations`];
  const more = Object.entries(query).filter(([name]) => !wanted.includes(name));
  const asked = Object.fromEntries(
    more.map(([name, value]) => [name.replace("$", ""), name === "$top" ? Number(value) : value]),
  );
  const words = [...Object.values(rest), ...wanted.map((name) => query[name])];
  if (body !== null) words.push(body);
  const found = operations[camel(name)](...words, asked);
  if (!(Symbol.asyncIterator in found)) {
    const told = await found;
    // It makes an object of nothing but `body: undefined` of an answer without a body.
    return Object.values(told ?? {}).some((one) => one !== undefined) ? told : null;
  }
  const rows = [];
  for await (const row of found) rows.push(row);
  return rows;
}

const answers = [];
for (const ask of asks) {
  try {
    answers.push({ value: (await answer(ask)) ?? null });
  } catch (refusal) {
    const { code, message } = refusal.details?.error ?? {};
    answers.push({ refused: [refusal.statusCode ?? null, code ?? null, message ?? `${refusal}`] });
  }
}
process.stdout.write(JSON.stringify(answers));
