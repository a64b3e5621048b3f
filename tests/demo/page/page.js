// The live list of resources, its filters, the actions, and the choice of a trace of the selected resource.

import { at, isBusy, sealedAfter, showDetail } from "./detail.js";
import { element, human } from "./element.js";
import { draw } from "./waterfall.js";

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

// --- Disks and snapshots -------------------------------------------------------------------------------------

const date = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const lockOf = (id) => faults.find(({ fault }) => fault.resource === id && fault.action?.refuse === "scopeLocked");
const pickButtons = () => [...rows.getElementsByClassName("pick")];

function cell(label, ...content) {
  return element("td", { role: "cell", data: { label } }, ...content);
}

function pickButton(resource) {
  const button = element("button", { type: "button", className: "pick", aria: { pressed: String(resource.id === picked) } }, resource.name);
  button.addEventListener("click", () => pick(resource.id));
  return button;
}

const quiet = (className, text) => (text ? element("span", { className }, text) : null);

// Explicit roles, because the layout for phones removes the implicit ones.
function row(resource) {
  const outcome = element("span", { className: "outcome" }, resource.outcome);
  return element("tr", { role: "row", data: { id: resource.id, outcome: resource.outcome } },
    element("th", { scope: "row", role: "rowheader" }, pickButton(resource), quiet("kind", resource.kind)),
    cell("Outcome", outcome, quiet("reason", resource.reason)),
    cell("Sealed after", element("span", { className: "after" }, sealedAfter(resource))),
    cell("Created by", resource.by ?? "–", quiet("scenario", resource.scenario)));
}

function matches(resource) {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [resource.name, resource.group, resource.scenario, resource.by].join(" ").toLowerCase();
  return words.every((word) => text.includes(word)) && [resource.outcome, ""].includes(at("wanted").value);
}

function showCount(shown) {
  const outcomes = Object.groupBy(resources, ({ outcome }) => outcome);
  const counts = Object.entries(outcomes).map(([outcome, { length }]) => `${length} ${outcome}`).join(", ");
  at("count").textContent = shown.length === resources.length ? counts : `${shown.length} of ${resources.length} shown: ${counts}`;
  const select = at("wanted");
  const [wanted, known] = [select.value, [...select.options].map(({ value }) => value)];
  for (const outcome of Object.keys(outcomes)) if (!known.includes(outcome)) select.append(element("option", { value: outcome }, outcome));
  select.value = wanted;
}

/** Draws the rows that have changed. The others stay, and keep the focus. */
function showResources() {
  const old = new Map([...rows.rows].map((one) => [one.dataset.id, one]));
  const shown = resources.filter(matches);
  const wanted = shown.map((resource) => {
    const { traces, ...own } = resource;
    const state = JSON.stringify([own, resource.id === picked]);
    const before = old.get(resource.id);
    if (before?.dataset.state === state) return before;
    const made = row(resource);
    made.dataset.state = state;
    return made;
  });
  const active = rows.contains(document.activeElement) ? document.activeElement.closest("tr").dataset.id : null;
  wanted.forEach((one, index) => { if (rows.rows[index] !== one) rows.insertBefore(one, rows.rows[index] ?? null); });
  while (rows.rows.length > wanted.length) rows.rows[rows.rows.length - 1].remove();
  if (active && !rows.contains(document.activeElement)) focusRow(active);
  at("scroller").hidden = !shown.length;
  at("none").hidden = resources.length > 0;
  at("unmatched").hidden = shown.length > 0 || !resources.length;
  showCount(shown);
  showDetail(resources.find(({ id }) => id === picked), lockOf(picked), act, ask);
}

function focusRow(id) {
  [...rows.rows].find((one) => one.dataset.id === id)?.getElementsByClassName("pick")[0]?.focus();
}

/** Arrow keys move between resources and into the trace. */
rows.addEventListener("keydown", (event) => {
  const [all, here] = [pickButtons(), pickButtons().indexOf(document.activeElement)];
  if (here < 0) return;
  const to = { ArrowDown: all[here + 1], ArrowUp: all[here - 1], Home: all[0], End: all.at(-1) }[event.key];
  if (to) to.focus();
  else if (event.key === "ArrowRight") enterTrace(all[here]);
  else return;
  event.preventDefault();
});
async function enterTrace(button) {
  if (button.getAttribute("aria-pressed") !== "true") await pick(button.closest("tr").dataset.id);
  (at("waterfall").querySelector("button.span") ?? at("traces")).focus();
}
at("side").addEventListener("keydown", (event) => { if (event.key === "Escape") focusRow(picked); });
for (const [id, name] of [["search", "input"], ["wanted", "change"]]) at(id).addEventListener(name, showResources);

setInterval(() => {
  for (const resource of resources) {
    if (resource.sealedAfterMs !== null) continue;
    const place = [...rows.rows].find((one) => one.dataset.id === resource.id)?.querySelector(".after");
    if (place) place.textContent = sealedAfter(resource);
  }
}, 1000);

// --- Traces --------------------------------------------------------------------------------------------------

async function pick(id) {
  [picked, trace] = [id, ""];
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  showResources();
  await showTraces();
  // In one column, the trace is below the list. It is visible only once it is drawn.
  if (at("traces").getBoundingClientRect().top > innerHeight - 100) at("detail").scrollIntoView();
}

function choice(one) {
  const summary = `${one.name}, ${human(one.tookMs)}, ${one.spans} ${one.spans === 1 ? "span" : "spans"}${one.hasError ? ", a request was refused" : ""}`;
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
function showNothing(text) {
  at("waterfall").dataset.trace = trace;
  at("waterfall").replaceChildren(...(trace ? [element("p", {}, text)] : []));
}

async function showTraces() {
  const resource = resources.find(({ id }) => id === picked);
  const traces = resource?.traces ?? [];
  at("traces-heading").textContent = resource ? `Traces of ${resource.name}` : "Traces";
  at("untraced").hidden = traces.length > 0;
  at("untraced").textContent = resource ? "No trace yet. It appears once the handler has processed the resource." : "No resource is selected.";
  trace ||= traces[0]?.id ?? "";
  const focused = at("choices").contains(document.activeElement) ? document.activeElement.dataset.trace : null;
  at("choices").replaceChildren(...traces.map(choice));
  for (const button of at("choices").children) if (button.dataset.trace === focused) button.focus();
  const state = `${trace} ${JSON.stringify(traces.find(({ id }) => id === trace))}`;
  if (state === drawn) return;
  drawn = state;
  const about = `trace=${encodeURIComponent(trace)}`;
  try {
    const [spans, logs] = trace ? await Promise.all([ask("GET", `spans?${about}`), ask("GET", `logs?${about}`)]) : [[], []];
    if (drawn !== state) return;
    if (spans.length) draw(at("waterfall"), trace, spans, logs, openTrace);
    else showNothing(`The collector has no spans of the trace ${trace}. It may belong to another service, such as the Functions host.`);
  } catch (error) {
    if (drawn !== state) return;
    drawn = "";
    showNothing(`The trace ${trace} cannot be read: ${error.message}`);
  }
}

// --- Actions -------------------------------------------------------------------------------------------------

/** The name with the next number, as wide as the last one. */
const next = (name) => name.replace(/\d*$/, (number) => String(Number(number || "1") + 1).padStart(number.length, "0"));

at("create").addEventListener("submit", (event) => {
  event.preventDefault();
  const [field, button] = [at("name"), event.submitter ?? at("create").elements.kind[0]];
  if (isBusy(button)) return;
  const [name, kind] = [field.value, button.value];
  act(button, ({ id }) => {
    pick(id);
    field.value = next(name);
    return `Created ${kind} ${name}.`;
  }, () => ask("POST", "create", { kind, name }));
});
const onClick = (id, message, doIt) => at(id).addEventListener("click", ({ currentTarget }) => isBusy(currentTarget) || act(currentTarget, message, doIt));
onClick("sweep", ({ logs }) => `Swept: ${logs?.[0] ?? "the timer function has run"}.`, () => ask("POST", "timer/sweep"));
onClick("throttle", () => "The next seal will be refused once with 429 and Retry-After: 3 s.",
  () => ask("POST", "faults", { kind: "patch", action: { refuse: { as: "throttledArm", retryAfter: 3 } } }));
onClick("kill", ({ pid }) => `Killed the handler of the group http (pid ${pid}). Its host restarts it.`, () => ask("POST", "kill?group=http"));

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

async function receive({ data }) {
  const { handlers, ...picture } = JSON.parse(data);
  resources = picture.resources;
  const down = handlers.filter(({ pid }) => !pid).map(({ group }) => group);
  const running = handlers.map(({ group, pid }) => `${group} (pid ${pid})`);
  stand(...(down.length ? ["down", `Live. Down: ${down.join(", ")}. The host restarts the handler.`]
    : ["up", `Live. A handler is running for each group of functions: ${running.join(", ")}.`]));
  showResources();
  await Promise.all([showTraces(), readFaults().catch(() => {})]);
}

/** Reads the pictures. A browser reconnects by itself, except after an answer that is no stream. */
function listen() {
  const live = new EventSource("live");
  live.addEventListener("message", receive);
  live.addEventListener("error", () => {
    drawn = "";
    stand("ended", "The local Azure has stopped or cannot be reached. The data may be outdated. Start cargo demo --keep again: this page reconnects.");
    if (live.readyState !== EventSource.CLOSED) return;
    live.close();
    setTimeout(listen, 2000);
  });
}
listen();
