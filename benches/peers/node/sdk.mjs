// The same with Azure's own packages, as its documentation shows: @azure/arm-compute and @azure/identity.
// The SDK refuses to send a token over plain HTTP, so one policy of its pipeline is replaced.
import { ComputeManagementClient } from "@azure/arm-compute";
import "@azure/identity"; // A real handler has to load it; nobody asks it for a token here.
import { serve } from "./server.mjs";

const SEALED = "AzureActiveDirectory";
const endpoint = process.env.ARM_ENDPOINT;
const credential = { getToken: async () => ({ token: "constant", expiresOnTimestamp: Date.now() + 3_600_000 }) };
const clients = new Map();

function compute(subscription) {
  if (!clients.has(subscription)) {
    const made = new ComputeManagementClient(credential, subscription, { endpoint, allowInsecureConnection: true });
    made.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
    made.pipeline.addPolicy({
      name: "constantToken",
      sendRequest(request, next) {
        request.allowInsecureConnection = true;
        request.headers.set("authorization", "Bearer constant");
        return next(request);
      },
    });
    clients.set(subscription, made);
  }
  return clients.get(subscription);
}

serve(async ({ eventType, subject }) => {
  if (eventType !== "Microsoft.Resources.ResourceWriteSuccess") return "ignored";
  const [, , subscription, , group, , , kind, name] = subject.split("/");
  const resources = compute(subscription)[kind];
  const found = await resources.get(group, name);
  if ((found.dataAccessAuthMode ?? found.properties?.dataAccessAuthMode) === SEALED) return "already sealed";
  const tags = { ...found.tags, "sealed-at": new Date().toISOString() };
  await resources.update(group, name, { dataAccessAuthMode: SEALED, tags }, { updateIntervalInMs: 1_000 });
  return "sealed";
});
