// Draws a trace as a waterfall with a time axis: nested lists, in which each span is a button with a bar.

import { element, human } from "./element.js";

/** The shares of the whole time at which the axis has a tick. */
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/** The spans as trees, ordered by start. A span whose parent is missing is a root. */
function trees(spans) {
  // The map removes duplicates, because an export can be sent twice.
  const nodes = new Map(spans.map((span) => [span.spanId, { span, children: [] }]));
  const roots = [];
  for (const node of nodes.values()) (nodes.get(node.span.parentSpanId)?.children ?? roots).push(node);
  const byStart = (one, other) => one.span.startUnixNano - other.span.startUnixNano;
  for (const { children } of nodes.values()) children.sort(byStart);
  return roots.sort(byStart);
}

/** The method of a request and the end of its path. Other names stay as they are. */
function short(name) {
  const [method, path] = name.split(" /", 2);
  return path === undefined ? name : `${method} …/${path.split("/").slice(-2).join("/")}`;
}

/** What a span shows: a wait, a request to somebody else, or work of the handler. */
function sort(span) {
  if ("diskseal.wait.for" in span.attributes || span.name.startsWith("wait for ")) return "wait";
  return span.kind === "client" ? "request" : "work";
}

/** The result of a span: status or outcome, and the number of the resend. */
function result({ status, attributes }) {
  const code = attributes["http.response.status_code"] ?? attributes["diskseal.outcome"] ?? attributes["error.type"];
  const resend = attributes["http.request.resend_count"];
  return [status === "error" && "error", code, resend && `resend ${resend}`].filter(Boolean).join(", ");
}

function facts(title, pairs) {
  const entries = Object.entries(pairs).filter(([, value]) => value !== null && value !== "");
  if (!entries.length) return null;
  const list = element("dl");
  for (const [name, value] of entries) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, text)));
  }
  return element("div", {}, element("h4", {}, title), list);
}

function logLines(logs, after) {
  if (!logs.length) return null;
  const line = (log) => element("li", {}, `${after(log.timeUnixNano || log.observedUnixNano)} ${log.severityText} `,
    typeof log.body === "string" ? log.body : JSON.stringify(log.body));
  return element("div", {}, element("h4", {}, "Log lines"), element("ol", { className: "logs" }, ...logs.map(line)));
}

function details(span, { scale, logs, openTrace }, id) {
  const after = (nano) => `after ${human((nano - scale.start) / 1e6)}`;
  const box = element("div", { className: "details", id, hidden: true },
    logLines(logs.filter(({ spanId }) => spanId === span.spanId), after),
    facts("Span", {
      name: span.name, kind: span.kind, status: span.status, description: span.statusDescription,
      begins: after(span.startUnixNano), took: human((span.endUnixNano - span.startUnixNano) / 1e6),
      "span id": span.spanId, parent: span.parentSpanId, scope: span.scope.name,
    }),
    facts("Attributes", span.attributes),
    ...span.events.map((event) => facts(`Event ${after(event.timeUnixNano)}`, { name: event.name, ...event.attributes })),
    facts("Resource", span.resource));
  for (const link of span.links) {
    if (link.traceId === span.traceId) {
      box.prepend(element("p", {}, `Linked to span ${link.spanId} of this trace`));
      continue;
    }
    const go = element("button", { type: "button", className: "link" }, `Linked trace ${link.traceId}`);
    go.addEventListener("click", () => openTrace(link.traceId));
    box.prepend(go);
  }
  return box;
}

/** Shows or hides what is below a span. */
function fold(item, isFolded) {
  item.dataset.folded = String(isFolded);
  item.querySelector(":scope > ul").hidden = isFolded;
  const button = item.querySelector(":scope > .head > .fold");
  button.textContent = isFolded ? "▸" : "▾";
  button.setAttribute("aria-expanded", String(!isFolded));
}

function bar(span, scale) {
  const took = span.endUnixNano - span.startUnixNano;
  const made = element("span", { className: "bar", data: { nano: took } });
  made.style.left = `${((span.startUnixNano - scale.start) / scale.whole) * 100}%`;
  made.style.width = `${(took / scale.whole) * 100}%`;
  return made;
}

function row({ span, children }, level, world) {
  const id = `span-${span.spanId}`;
  const button = element("button", { type: "button", className: "span", aria: { expanded: "false", controls: id } },
    element("span", { className: "what" }, element("span", { className: "name" }, short(span.name)),
      world.services > 1 ? element("span", { className: "service" }, ` ${span.resource["service.name"] ?? ""}`) : null),
    element("span", { className: "track", aria: { hidden: "true" } }, bar(span, world.scale)),
    element("span", { className: "took" }, human((span.endUnixNano - span.startUnixNano) / 1e6)), " ",
    element("span", { className: "result" }, result(span), span.links.length ? element("span", { className: "linked" }, " linked") : null));
  const box = details(span, world, id);
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
  });
  const head = element("div", { className: "head" }, button);
  const item = element("li", { data: { span: span.spanId, status: span.status, sort: sort(span) } }, head, box);
  item.style.setProperty("--level", level);
  if (children.length) {
    item.append(element("ul", {}, ...children.map((child) => row(child, level + 1, world))));
    // The arrow keys fold, too, so a keyboard does not have to stop at each of these buttons.
    const folder = element("button", { type: "button", className: "fold", tabIndex: -1, aria: { label: `What is below ${short(span.name)}` } });
    folder.addEventListener("click", () => fold(item, item.dataset.folded !== "true"));
    head.prepend(folder);
    fold(item, false);
  }
  return item;
}

/** Arrow keys, Home and End move the focus between spans. Left and right fold and unfold. */
function walk(event) {
  const buttons = [...event.currentTarget.querySelectorAll("button.span")].filter((one) => one.offsetParent);
  const [at, last] = [buttons.indexOf(document.activeElement), buttons.length - 1];
  if (at < 0) return;
  const item = buttons[at].closest("li");
  const above = item.parentElement.closest("li")?.querySelector("button.span");
  const folded = { true: true, false: false }[item.dataset.folded];
  if (event.key === "ArrowLeft" && folded === false) fold(item, true);
  else if (event.key === "ArrowRight" && folded) fold(item, false);
  else {
    const to = {
      ArrowDown: buttons[Math.min(at + 1, last)], ArrowUp: buttons[Math.max(at - 1, 0)], Home: buttons[0], End: buttons[last], ArrowLeft: above,
    }[event.key];
    if (!to) return;
    to.focus();
  }
  event.preventDefault();
}

function axis(whole) {
  const tick = (share) => {
    const made = element("span", {}, share ? human((whole * share) / 1e6) : "0");
    made.style.left = `${share * 100}%`;
    return made;
  };
  const track = element("span", { className: "ticks" }, ...TICKS.map(tick));
  return element("div", { className: "axis", aria: { hidden: "true" } }, element("span"), track, element("span"), element("span"));
}

function legend() {
  const entry = (name, text) => element("span", { data: { sort: name } }, element("span", { className: "bar" }), text);
  return element("p", { className: "legend" }, entry("request", "request"), entry("wait", "wait"), entry("work", "work of the handler"));
}

/** Draws a trace. When it is drawn again with more spans, open and folded spans and the focus stay. */
export function draw(place, traceId, spans, logs, openTrace) {
  const isSame = place.dataset.trace === traceId;
  const was = (selector) => (isSame ? [...place.querySelectorAll(selector)] : []);
  const open = was("button.span[aria-expanded=true]").map((one) => one.getAttribute("aria-controls"));
  const folded = was("li[data-folded=true]").map((one) => one.dataset.span);
  const focused = isSame && place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-controls") : null;
  const start = Math.min(...spans.map((span) => span.startUnixNano));
  const whole = Math.max(1, Math.max(...spans.map((span) => span.endUnixNano)) - start);
  const services = new Set(spans.map((span) => span.resource["service.name"])).size;
  const world = { scale: { start, whole }, logs, services, openTrace };
  const list = element("ul", { className: "waterfall" }, ...trees(spans).map((tree) => row(tree, 0, world)));
  list.addEventListener("keydown", walk);
  place.dataset.trace = traceId;
  place.replaceChildren(
    element("h3", {}, "Trace ", element("code", {}, traceId)),
    element("p", { className: "scale" }, `${spans.length} ${spans.length === 1 ? "span" : "spans"} in ${human(whole / 1e6)}; select a span for its log lines and attributes`),
    legend(), axis(whole), list);
  for (const item of list.querySelectorAll("li[data-span]")) {
    const button = item.querySelector(":scope > .head > .span");
    const id = button.getAttribute("aria-controls");
    if (open.includes(id)) button.click();
    if (folded.includes(item.dataset.span)) fold(item, true);
    if (id === focused) button.focus();
  }
}
