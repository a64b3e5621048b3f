// The live list of resources, the actions, and the traces of the selected resource.

import { draw, element, human } from "./waterfall.js";

const at = (id) => document.getElementById(id);
const rows = at("list").tBodies[0];
let [resources, faults] = [[], []];
let picked = decodeURIComponent(location.hash.slice(1));
let [trace, drawn] = ["", ""];

/** Sends a request. A response without success becomes an error with the server's message. */
async function ask(method, path, body) {
  const answer = await fetch(path, {
    method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body),
  }).catch(() => { throw new Error("Cannot reach the local Azure."); });
  const text = await answer.text();
  const result = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(result?.error ?? `${method} ${path}: ${answer.status}`);
  return result;
}

function show(text, isError = false) {
  at("message").textContent = text;
  at("message").dataset.is = isError ? "error" : "done";
}

/** Runs the action of a button, and shows the result. */
async function act(button, message, doIt) {
  button.setAttribute("aria-disabled", "true");
  try {
    const result = await doIt();
    show(message(result));
    await readFaults();
  } catch (error) {
    show(error.message, true);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

// --- Disks and snapshots -------------------------------------------------------------------------------------

const MODES = { AzureActiveDirectory: "Entra ID", None: "none" };
const date = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function ageOf(resource) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(resource.created)) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

function sealedAfter(resource) {
  if (resource.sealedAfterMs === 0) return "sealed at creation";
  if (resource.sealedAfterMs !== null) return human(resource.sealedAfterMs);
  return ["unsealed", "pending"].includes(resource.outcome) ? `unsealed for ${ageOf(resource)}` : "–";
}

const lockOf = (id) => faults.find(({ fault }) => fault.resource === id && fault.action?.refuse === "scopeLocked");

function cell(label, ...content) {
  return element("td", { role: "cell", data: { label } }, ...content);
}

function tagList(resource) {
  const tags = [...Object.entries(resource.tags), ...Object.entries(resource.otherTags)];
  if (!tags.length) return "–";
  return element("ul", { className: "tags" }, ...tags.map(([name, value]) => element("li", {}, `${name} = ${value}`)));
}

function pickButton(resource) {
  const button = element("button", { type: "button", className: "pick", aria: { pressed: String(resource.id === picked) } }, resource.name);
  button.addEventListener("click", () => pick(resource.id));
  return button;
}

function lockButton(resource) {
  const lock = lockOf(resource.id);
  const verb = lock ? "Unlock" : "Lock";
  const button = element("button", { type: "button", className: "lock", aria: { label: `${verb} ${resource.name}` } }, verb);
  button.addEventListener("click", () => {
    if (isBusy(button)) return;
    act(button, () => lock ? `Unlocked ${resource.name}.` : `Locked ${resource.name}: writes are refused until you unlock it.`, () =>
      lock ? ask("DELETE", `faults/${lock.id}`) : ask("POST", "faults", {
        action: { refuse: "scopeLocked" }, kind: ["put", "patch", "delete", "tagsWrite"], resource: resource.id, times: "always",
      }));
  });
  return button;
}

// Explicit roles, because the layout for phones removes the implicit ones.
function row(resource) {
  const outcome = element("span", { className: "outcome" }, resource.outcome);
  const [provisioning, disk] = resource.state;
  return element("tr", { role: "row", data: { id: resource.id, outcome: resource.outcome } },
    element("th", { scope: "row", role: "rowheader" }, pickButton(resource), element("span", { className: "kind" }, resource.kind)),
    cell("Outcome", outcome, resource.reason ? element("span", { className: "reason" }, resource.reason) : null),
    cell("Sealed after", element("span", { className: "after" }, sealedAfter(resource))),
    cell("Mode", element("span", { title: resource.mode ?? "" }, MODES[resource.mode] ?? resource.mode ?? "none")),
    cell("State", [provisioning, disk].filter(Boolean).join(", ")),
    cell("Resource group", resource.group, element("span", { className: "subscription", title: resource.subscription }, `subscription ${resource.subscription.slice(0, 8)}…`)),
    cell("Created", date.format(new Date(resource.created))),
    cell("Tags", tagList(resource)),
    cell("Lock", lockButton(resource)));
}

/** Draws the rows that have changed. The others stay, and keep the focus. */
function showResources() {
  const old = new Map([...rows.rows].map((one) => [one.dataset.id, one]));
  const wanted = resources.map((resource) => {
    const state = JSON.stringify([resource, lockOf(resource.id)?.id, resource.id === picked]);
    const before = old.get(resource.id);
    if (before?.dataset.state === state) return before;
    const made = row(resource);
    made.dataset.state = state;
    return made;
  });
  const active = rows.contains(document.activeElement) ? document.activeElement : null;
  const [id, kind] = [active?.closest("tr").dataset.id, active?.className];
  wanted.forEach((one, index) => { if (rows.rows[index] !== one) rows.insertBefore(one, rows.rows[index] ?? null); });
  while (rows.rows.length > wanted.length) rows.rows[rows.rows.length - 1].remove();
  if (active && document.activeElement !== active) {
    [...rows.rows].find((one) => one.dataset.id === id)?.getElementsByClassName(kind)[0]?.focus();
  }
  at("scroller").hidden = !resources.length;
  at("none").hidden = resources.length > 0;
  const outcomes = Object.groupBy(resources, ({ outcome }) => outcome);
  at("count").textContent = Object.entries(outcomes).map(([outcome, { length }]) => `${length} ${outcome}`).join(", ");
}

setInterval(() => {
  for (const resource of resources) {
    if (resource.sealedAfterMs !== null) continue;
    const place = [...rows.rows].find((one) => one.dataset.id === resource.id)?.querySelector(".after");
    if (place) place.textContent = sealedAfter(resource);
  }
}, 1000);

// --- Traces --------------------------------------------------------------------------------------------------

function pick(id) {
  [picked, trace] = [id, ""];
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  showResources();
  showTraces();
  if (at("traces").getBoundingClientRect().top > innerHeight - 100) at("traces").scrollIntoView();
}

function choice(one) {
  const summary = `${one.name}, ${human(one.tookMs)}, ${one.spans} ${one.spans === 1 ? "span" : "spans"}${one.hasError ? ", with an error" : ""}`;
  const button = element("button", { type: "button", data: { trace: one.id }, aria: { pressed: String(one.id === trace) } },
    element("span", {}, date.format(new Date(one.startMs))), " ", summary);
  button.addEventListener("click", () => openTrace(one.id));
  return button;
}

function openTrace(id) {
  trace = id;
  showTraces();
}

/** A trace that only a link names belongs to a service that does not send its spans to this collector. */
function showNothing(id) {
  at("waterfall").dataset.trace = id;
  const text = `The collector has no spans of the trace ${id}. It may belong to another service, such as the Functions host.`;
  at("waterfall").replaceChildren(...(id ? [element("p", {}, text)] : []));
}

async function showTraces() {
  const resource = resources.find(({ id }) => id === picked);
  const traces = resource?.traces ?? [];
  at("traces-heading").textContent = resource ? `Traces of ${resource.name}` : "Traces";
  at("hint").hidden = traces.length > 0;
  at("hint").textContent = resource
    ? "No trace yet. It appears once the handler has processed the resource."
    : "Select a disk or snapshot to see its traces.";
  trace ||= traces[0]?.id ?? "";
  const focused = at("choices").contains(document.activeElement) ? document.activeElement.dataset.trace : null;
  at("choices").replaceChildren(...traces.map(choice));
  for (const button of at("choices").children) if (button.dataset.trace === focused) button.focus();
  const state = `${trace} ${JSON.stringify(traces.find(({ id }) => id === trace))}`;
  if (state === drawn) return;
  drawn = state;
  const spans = trace ? await ask("GET", `spans?trace=${encodeURIComponent(trace)}`).catch(() => []) : [];
  if (drawn !== state) return;
  if (spans.length) draw(at("waterfall"), trace, spans, openTrace);
  else showNothing(trace);
}

// --- Actions -------------------------------------------------------------------------------------------------

at("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const [field, button] = [at("name"), event.submitter ?? at("create").elements.kind[0]];
  if (isBusy(button)) return;
  const [name, kind] = [field.value, button.value];
  act(button, ({ id }) => {
    pick(id);
    field.value = name.replace(/\d*$/, (number) => String(Number(number || "1") + 1));
    return `Created ${kind} ${name}.`;
  }, () => ask("POST", "create", { kind, name }));
});
at("throttle").addEventListener("click", ({ currentTarget }) => isBusy(currentTarget) || act(currentTarget,
  () => "The next seal will be refused once with 429 and Retry-After: 3 s.",
  () => ask("POST", "faults", { kind: "patch", action: { refuse: { as: "throttledArm", retryAfter: 3 } } })));
at("kill").addEventListener("click", ({ currentTarget }) => isBusy(currentTarget) || act(currentTarget,
  ({ pid }) => `Killed the handler of the group http (pid ${pid}). Its host restarts it.`,
  () => ask("POST", "kill?group=http")));

// --- Live ----------------------------------------------------------------------------------------------------

function stand(is, text) {
  const standing = at("standing");
  if (standing.textContent !== text) standing.textContent = text;
  standing.dataset.is = is;
}

async function readFaults() {
  faults = await ask("GET", "faults");
  showResources();
}

const live = new EventSource("live");
live.addEventListener("message", async ({ data }) => {
  const { handlers, ...picture } = JSON.parse(data);
  resources = picture.resources;
  const down = handlers.filter(({ pid }) => !pid).map(({ group }) => group);
  const running = handlers.map(({ group, pid }) => `${group} (pid ${pid})`);
  stand(...(down.length ? ["down", `Live. Down: ${down.join(", ")}. The host restarts the handler.`]
    : ["up", `Live. A handler is running for each group of functions: ${running.join(", ")}.`]));
  showResources();
  await Promise.all([showTraces(), readFaults().catch(() => {})]);
});
live.addEventListener("error", () => stand("ended", "The local Azure has stopped or cannot be reached. The data may be outdated. Start cargo demo --keep again."));
