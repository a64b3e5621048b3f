// Creates an estate with resources in every state in a local Azure, and the report on it.

import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export const HOSTILE = "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'>\u202e";
const SUBSCRIPTIONS = [
  "3f1c9a52-7d40-4e0b-9a6e-0c5b8d2e7f10", "81b7e6d4-2c3a-4f58-b1d9-6a0e4c7f9b21", "c04d5e7f-9b12-4a36-8e7d-2f6b1a3c5d32",
];
const REGIONS = ["westeurope", "northeurope", "germanywestcentral", "eastus2"];

const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const id = (subscription, group, type, name) =>
  `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Compute/${type}/${name}`;

const seal = { "diskseal-auth-mode": "AzureActiveDirectory", "diskseal-sealed-at": "2026-11-24T01:02:03Z" };

/** Type, name, group, whether the mode is set, tags. */
function* resources() {
  for (let index = 0; index < 240; index += 1) {
    const number = String(index).padStart(3, "0");
    const type = index % 4 === 3 ? "snapshots" : "disks";
    const group = ["rg-orders-prod", "rg-analytics", "MC_aks-platform_aks-1_westeurope"][index % 3];
    yield { index, type, name: `pvc-data-${number}`, group, isSet: true, tags: seal };
  }
  const open = [["orders-db-os", "team-orders"], ["orders-db-log", "team-orders"], ["build-agent-7", undefined], ["analytics-scratch", "Ada Lovelace"], ["migration-copy-2", undefined]];
  for (const [index, [name, owner]] of open.entries()) {
    yield { index, type: index % 2 ? "snapshots" : "disks", name, group: "rg-orders-prod", isSet: false, tags: owner ? { owner } : {} };
  }
  yield { index: 1, type: "disks", name: "retagged-disk", group: "rg-analytics", isSet: true, tags: { "diskseal-auth-mode": "None", Owner: "team-analytics" } };
  const exempt = [
    ["restore-test-1", 0, "INC-4711 restore test of the orders database", "team-orders"],
    ["restore-test-2", 1, "INC-4711 restore test of the orders database", "team-orders"],
    ["vendor-export", 12, "CHG-2290 export to the auditor by plain SAS, approved by the CISO", "audit@contoso.example"],
    ["asr-replica-seed", 29, "Azure Site Recovery does not support the mode", "platform"],
    ["backup-staging", 31, "Azure Backup does not support the mode", "platform"],
    ["legacy-appliance", 400, "appliance of a vendor who cannot sign in to Entra ID", "team-network"],
    ["hostile", 90, HOSTILE.slice(0, 120), HOSTILE],
    ["over", -3, "INC-4000 forensic copy", "secops"],
  ];
  for (const [index, [name, days, why, owner]] of exempt.entries()) {
    yield { index, type: index % 2 ? "snapshots" : "disks", name, group: "rg-exceptions", isSet: false, tags: { "diskseal-exempt": `until=${day(days)}; ${why}`, owner } };
  }
  yield { index: 2, type: "disks", name: "odd-tag", group: "rg-analytics", isSet: true, tags: { ...seal, "diskseal-exempt": "because I say so" } };
  for (let index = 0; index < 6; index += 1) {
    yield { index, type: "disks", name: `packer-tmp-${index}`, group: "rg-images", isSet: false, tags: {} };
  }
  yield { index: 0, type: "disks", name: "upload-in-progress", group: "rg-images", isSet: false, tags: { owner: "team-images" }, isUpload: true };
  yield { index: 0, type: "disks", name: "not-a-disk", group: "rg-images", isSet: false, tags: {} };
}

async function send(azure, method, path, body) {
  const answer = await fetch(`${azure.armHttp}${path}?api-version=2024-03-02`, {
    method,
    headers: { authorization: `Bearer ${azure.userToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

async function fill(azure) {
  for (const { index, type, name, group, isSet, tags, isUpload } of resources()) {
    const path = id(SUBSCRIPTIONS[index % SUBSCRIPTIONS.length], group, type, name);
    const copy = { createOption: "Copy", sourceResourceId: path.replace("/snapshots/", "/disks/") };
    const made = type === "snapshots" ? copy : { createOption: "Empty" };
    const creationData = isUpload ? { createOption: "Upload", uploadSizeBytes: 34_359_738_880 } : made;
    const properties = { creationData, diskSizeGB: 32, ...(isSet && { dataAccessAuthMode: "AzureActiveDirectory" }) };
    await send(azure, "PUT", path, { location: REGIONS[index % REGIONS.length], tags, properties });
  }
}

/** Two disks in use: one is attached to a virtual machine, the other has an active SAS URL. */
function inUse(_, row) {
  const state = { "orders-db-os": "Attached", "build-agent-7": "ActiveSAS" }[row?.id?.split("/").pop()];
  if (!state || !row.properties) return row;
  const managedBy = state === "Attached" ? row.id.replace("/disks/", "/virtualMachines/").replace("-os", "") : row.managedBy;
  return { ...row, managedBy, properties: { ...row.properties, diskState: state } };
}

/** A proxy for Resource Manager that adds states which the local one lacks: an active upload, and an invalid element. */
async function altered(azure) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host, connection, "content-length": length, ...headers } = request.headers;
    const body = chunks.length ? Buffer.concat(chunks) : undefined;
    const answer = await fetch(azure.armHttp + request.url, { method: request.method, headers, body });
    const text = JSON.stringify(await answer.json(), inUse).replaceAll('"ReadyToUpload"', '"ActiveUpload"').replaceAll('/disks/not-a-disk"', '/disks/a/b"');
    response.writeHead(answer.status, { "content-type": "application/json" }).end(text);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Fills a local Azure, runs `diskseal report` with these arguments, and returns its output. */
export async function reports(binaries, lists) {
  const child = spawn(`${binaries}/emulator`, ["--immediate"], { stdio: ["pipe", "pipe", "inherit"] });
  let server;
  try {
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const azure = JSON.parse(line);
    server = await altered(azure);
    const endpoint = `http://127.0.0.1:${server.address().port}`;
    const environment = { IDENTITY_ENDPOINT: azure.identityEndpoint, IDENTITY_HEADER: azure.identityHeader };
    const report = async (more) => {
      const settings = ["--arm-endpoint", endpoint, "--credential", "managed-identity", "--exempt-tag", "diskseal-exempt", "--exempt-names", "packer-tmp-*"];
      const run = promisify(execFile)(`${binaries}/diskseal`, ["report", ...settings, ...more], { env: environment, maxBuffer: 1 << 28 });
      // The exit code 1 means that something is not sealed, which is expected here.
      return run.catch((fault) => { if (fault.code !== 1) throw fault; return fault; });
    };
    const clean = await report(["--output", "html"]);
    await fill(azure);
    const printed = [clean.stdout];
    for (const more of lists) printed.push((await report(more)).stdout);
    return printed;
  } finally {
    server?.close();
    child.stdin.end();
    await once(child, "exit");
  }
}
