// Does asks with @azure/identity and @azure/arm-billing, unmodified; prints the answers as JSON.
// Arguments: the context file, the folder with node_modules. The asks come in as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [contextFile, tools] = process.argv.slice(2);
const context = JSON.parse(readFileSync(contextFile, "utf8"));
const asks = JSON.parse(readFileSync(0, "utf8"));
const load = createRequire(join(tools, "package.json"));
const { ClientSecretCredential } = load("@azure/identity");
const { BillingManagementClient } = load("@azure/arm-billing");

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

async function answer({ operation, names, query, expand, body, who }) {
  const { subscriptionId, ...rest } = names;
  const options = { endpoint: context.base_url };
  const client = new BillingManagementClient(credentials[who], subscriptionId ?? "none", options);
  const [group, name] = operation.split("_");
  const operations = client[camel(group)] ?? client[`${camel(group)}Operations`];
  const long = `begin${name}AndWait`;
  // What must be in the address has its place, what may be there its name.
  const isOption = ([name]) => name.startsWith("$");
  const wanted = Object.entries(query).filter((one) => !isOption(one));
  const asked = Object.fromEntries(
    Object.entries(query).filter(isOption).map(([name, value]) => [name.slice(1), value]),
  );
  if (expand) asked.expand = expand;
  const words = [...Object.values(rest), ...wanted.map(([, value]) => value)];
  if (body !== null) words.push(body);
  const found = operations[long in operations ? long : camel(name)](...words, asked);
  if (!(Symbol.asyncIterator in found)) return await found;
  const rows = [];
  for await (const row of found) rows.push(row);
  return rows;
}

const answers = [];
for (const ask of asks) {
  try {
    answers.push({ value: await answer(ask) });
  } catch (refusal) {
    const { code, message } = refusal.details?.error ?? {};
    answers.push({ refused: [refusal.statusCode ?? null, code ?? null, message ?? `${refusal}`] });
  }
}
process.stdout.write(JSON.stringify(answers));
