// What exists, live; what one can do; and the traces of what one picks.

import { draw, element, human } from "./waterfall.js";

const at = (id) => document.getElementById(id);
const rows = at("list").tBodies[0];
let [resources, faults] = [[], []];
let picked = decodeURIComponent(location.hash.slice(1));
let [trace, drawn] = ["", ""];

/** Tells the server what to do; an answer that is no success becomes an error with the server's words. */
async function ask(method, path, body) {
  const answer = await fetch(path, {
    method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body),
  }).catch(() => { throw new Error("The local Azure cannot be reached."); });
  const text = await answer.text();
  const said = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(said?.error ?? `${method} ${path}: ${answer.status}`);
  return said;
}

function tell(text, isError = false) {
  at("told").textContent = text;
  at("told").dataset.is = isError ? "error" : "done";
}

/** Does what a button is for, and says how it went. */
async function act(button, told, doIt) {
  button.setAttribute("aria-disabled", "true");
  try {
    const result = await doIt();
    tell(told(result));
    await readFaults();
  } catch (error) {
    tell(error.message, true);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

// --- Disks and snapshots -------------------------------------------------------------------------------------

const MODES = { AzureActiveDirectory: "Entra ID", None: "none" };
const date = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function openFor(resource) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(resource.created)) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

function sealedAfter(resource) {
  if (resource.sealedAfterMs === 0) return "created so";
  if (resource.sealedAfterMs !== null) return human(resource.sealedAfterMs);
  return ["open", "in the queue"].includes(resource.outcome) ? `open for ${openFor(resource)}` : "–";
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
    act(button, () => lock ? `${resource.name} is unlocked.` : `${resource.name} is locked: writes are refused until it is unlocked.`, () =>
      lock ? ask("DELETE", `faults/${lock.id}`) : ask("POST", "faults", {
        action: { refuse: "scopeLocked" }, kind: ["put", "patch", "delete", "tagsWrite"], resource: resource.id, times: "always",
      }));
  });
  return button;
}

// The roles are said, because a phone's layout takes them from the elements.
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

/** Draws the rows that have changed; the others stay, and with them the focus. */
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
  const sealed = resources.filter(({ outcome }) => outcome === "sealed").length;
  at("count").textContent = resources.length ? `${sealed} of ${resources.length} sealed` : "";
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
  const told = `${one.name}, ${human(one.tookMs)}, ${one.spans} ${one.spans === 1 ? "span" : "spans"}${one.hasError ? ", with an error" : ""}`;
  const button = element("button", { type: "button", data: { trace: one.id }, aria: { pressed: String(one.id === trace) } },
    element("span", {}, date.format(new Date(one.startMs))), " ", told);
  button.addEventListener("click", () => openTrace(one.id));
  return button;
}

function openTrace(id) {
  trace = id;
  showTraces();
}

/** A trace that is known by a link alone is that of a service which sends its spans elsewhere, or nowhere. */
function showNothing(id) {
  at("waterfall").dataset.trace = id;
  const told = `The collector has no span of the trace ${id}: it is another service's, such as the Functions host's own.`;
  at("waterfall").replaceChildren(...(id ? [element("p", {}, told)] : []));
}

async function showTraces() {
  const resource = resources.find(({ id }) => id === picked);
  const traces = resource?.traces ?? [];
  at("traces-heading").textContent = resource ? `Traces of ${resource.name}` : "Traces";
  at("hint").hidden = traces.length > 0;
  at("hint").textContent = resource
    ? "No trace tells of it yet. One arrives as soon as the handler has looked at it."
    : "Pick a disk or snapshot to see the traces that tell of it.";
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

// --- What one can do -----------------------------------------------------------------------------------------

at("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const [field, button] = [at("name"), event.submitter ?? at("create").elements.kind[0]];
  if (isBusy(button)) return;
  const [name, kind] = [field.value, button.value];
  act(button, ({ id }) => {
    pick(id);
    field.value = name.replace(/\d*$/, (number) => String(Number(number || "1") + 1));
    return `The ${kind} ${name} is created.`;
  }, () => ask("POST", "create", { kind, name }));
});
at("throttle").addEventListener("click", ({ currentTarget }) => isBusy(currentTarget) || act(currentTarget,
  () => "The next write of the mode will be refused with 429 once, and asked to wait for 3 s.",
  () => ask("POST", "faults", { kind: "patch", action: { refuse: { as: "throttledArm", retryAfter: 3 } } })));
at("kill").addEventListener("click", ({ currentTarget }) => isBusy(currentTarget) || act(currentTarget,
  ({ pid }) => `The handler (process ${pid}) has been killed. Its host starts it again.`,
  () => ask("POST", "kill")));

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
  const { handler, ...picture } = JSON.parse(data);
  resources = picture.resources;
  stand(...(handler ? ["up", `Live. The handler runs as process ${handler}.`] : ["down", "Live. The handler is down; its host starts it again."]));
  showResources();
  await Promise.all([showTraces(), readFaults().catch(() => {})]);
});
live.addEventListener("error", () => stand("ended", "The local Azure has ended or cannot be reached: what you see may be old. Start cargo demo --keep again."));
