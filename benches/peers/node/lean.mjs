// The least that Node needs: its own HTTP server, undici for Azure Resource Manager, a token that never changes.
// Two requests an event: read the disk, and write the mode with all of its tags. So a tag that somebody adds between
// the two is lost, a write that is only accepted (202) counts as done, and nothing is tried again.
import { Pool } from "undici";
import { serve } from "./server.mjs";

const SEALED = "AzureActiveDirectory";
const azure = new Pool(process.env.ARM_ENDPOINT, { connections: 64 });
const headers = { authorization: "Bearer constant", "content-type": "application/json" };

async function send(method, id, change) {
  const body = change && JSON.stringify(change);
  const answer = await azure.request({ method, path: `${id}?api-version=2024-03-02`, headers, body });
  if (answer.statusCode >= 300) throw new Error(`${method} ${id}: ${answer.statusCode}`);
  return answer.body.json();
}

async function seal({ eventType, subject }) {
  if (eventType !== "Microsoft.Resources.ResourceWriteSuccess") return "ignored";
  const { properties, tags } = await send("GET", subject);
  if (properties.dataAccessAuthMode === SEALED) return "already sealed";
  const dated = { ...tags, "sealed-at": new Date().toISOString() };
  await send("PATCH", subject, { properties: { dataAccessAuthMode: SEALED }, tags: dated });
  return "sealed";
}

serve(seal);
