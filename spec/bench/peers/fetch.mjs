// node's own fetch: fetch.mjs OPTIONS.json PATH COUNT ROWS [CONCURRENCY]. Needs NODE_EXTRA_CA_CERTS.
import { readFileSync } from "node:fs";

const options = JSON.parse(readFileSync(process.argv[2]));
const [path, count, size, concurrency = "1"] = process.argv.slice(3);
const base = `${options.base_url}/${options.organization}`;

async function json(url, init) {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

const { access_token: token } = await json(`${base}/identity_/connect/token`, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "client_credentials", client_id: options.client_id, client_secret: options.client_secret, scope: options.scope,
  }),
});
const headers = { Authorization: `Bearer ${token}`, "X-UIPATH-OrganizationUnitId": options.folder };
let next = 0, rows = 0, sum = 0;
async function work() {
  while (next < Number(count)) {
    const url = `${base}/${options.tenant}/orchestrator_/${path.replace("%d", next++ * Number(size))}`;
    for (const row of (await json(url, { headers })).value) { rows++; sum += row.Id; }
  }
}
await Promise.all(Array.from({ length: Number(concurrency) }, work));
console.log(rows, sum);
