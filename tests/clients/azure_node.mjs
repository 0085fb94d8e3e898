// Prints as JSON what @azure/identity and @azure/arm-commerce read, unmodified.
// Arguments: the context file, the folder with node_modules, the client's alias.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [contextFile, tools, alias] = process.argv.slice(2);
const context = JSON.parse(readFileSync(contextFile, "utf8"));
const load = createRequire(join(tools, "package.json"));
const { ClientSecretCredential } = load("@azure/identity");
const { UsageManagementClient } = load(alias);

const reader = context.clients.reader;
const credential = new ClientSecretCredential(
  context.tenant_id,
  reader.client_id,
  reader.client_secret,
  { authorityHost: context.base_url, disableInstanceDiscovery: true },
);
const client = new UsageManagementClient(credential, context.subscriptions.own, {
  baseUri: context.base_url,
});

// `listNext` of 3.0.0 is broken, so its users take the token out of the link; 2.2.0 follows the link.
async function usage(aggregationGranularity, showDetails) {
  const window = [new Date(context.usage_window.from), new Date(context.usage_window.to)];
  const options = { aggregationGranularity, showDetails };
  const rows = [];
  let pages = 1;
  let page = await client.usageAggregates.list(...window, options);
  rows.push(...page);
  while (page.nextLink) {
    if (alias.endsWith("3")) {
      const continuationToken = new URL(page.nextLink).searchParams.get("continuationToken");
      page = await client.usageAggregates.list(...window, { ...options, continuationToken });
    } else {
      page = await client.usageAggregates.listNext(page.nextLink);
    }
    rows.push(...page);
    pages += 1;
  }
  return { rows, pages };
}

const { id, currency, locale, region } = context.offer;
const filter =
  `OfferDurableId eq '${id}' and Currency eq '${currency}' ` +
  `and Locale eq '${locale}' and RegionInfo eq '${region}'`;
const read = { usage: {}, card: await client.rateCard.get(filter) };
for (const granularity of ["Daily", "Hourly"]) {
  for (const details of [true, false]) {
    read.usage[`${granularity} ${details}`] = await usage(granularity, details);
  }
}
process.stdout.write(JSON.stringify(read));
