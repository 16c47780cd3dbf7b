// UiPath's TypeScript SDK, whose Jobs service has no client credentials: the token is fetched apart.
// sdk.mjs OPTIONS.json FOLDER_OF_NODE_MODULES COUNT ROWS. Needs NODE_EXTRA_CA_CERTS.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const options = JSON.parse(readFileSync(process.argv[2]));
const [modules, count, size] = process.argv.slice(3);
const require = createRequire(`${modules}/package.json`);
const { UiPath } = require("@uipath/uipath-typescript/core");
const { Jobs } = require("@uipath/uipath-typescript/jobs");

const response = await fetch(`${options.base_url}/${options.organization}/identity_/connect/token`, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials", client_id: options.client_id, client_secret: options.client_secret, scope: options.scope,
  }),
});
const { access_token: secret } = await response.json();
const jobs = new Jobs(new UiPath({ baseUrl: options.base_url, orgName: options.organization, tenantName: options.tenant, secret }));
let rows = 0, sum = 0, cursor;
for (let page = 0; page < Number(count); page++) {
  const list = await jobs.getAll({ folderId: Number(options.folder), ...(cursor ? { cursor } : { pageSize: Number(size) }) });
  for (const job of list.items) { rows++; sum += job.id; }
  cursor = list.nextCursor;
  if (!cursor) break;
}
console.log(rows, sum);
