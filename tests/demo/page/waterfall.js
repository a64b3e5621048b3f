// Draws a trace as a waterfall: nested lists, in which each span is a button with a bar.
// All values of a span become text, never markup.

/** Creates an element with properties and children. Strings become text. */
export function element(name, properties = {}, ...children) {
  const { data, aria, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(data ?? {})) made.dataset[key] = value;
  for (const [key, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${key}`, value);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** A duration in milliseconds, as a text with a unit. */
export function human(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

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

function details(span, scale, id, openTrace) {
  const after = (nano) => `after ${human((nano - scale.start) / 1e6)}`;
  const box = element("div", { className: "details", id, hidden: true },
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

function row({ span, children }, scale, openTrace) {
  const took = span.endUnixNano - span.startUnixNano;
  const id = `span-${span.spanId}`;
  const bar = element("span", { className: "bar", data: { nano: took } });
  bar.style.left = `${((span.startUnixNano - scale.start) / scale.whole) * 100}%`;
  bar.style.width = `${(took / scale.whole) * 100}%`;
  const button = element("button", { type: "button", className: "span", aria: { expanded: "false", controls: id } },
    element("span", { className: "what" }, element("span", { className: "name" }, short(span.name)), " ",
      element("span", { className: "service" }, String(span.resource["service.name"] ?? ""))),
    element("span", { className: "track", aria: { hidden: "true" } }, bar),
    element("span", { className: "took" }, human(took / 1e6)), " ",
    element("span", { className: "result" }, result(span)),
    span.links.length ? element("span", { className: "linked" }, "linked") : null);
  const box = details(span, scale, id, openTrace);
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
  });
  const item = element("li", { data: { span: span.spanId, status: span.status } }, button, box);
  if (children.length) item.append(element("ul", {}, ...children.map((child) => row(child, scale, openTrace))));
  return item;
}

/** Arrow keys, Home and End move the focus between spans. */
function walk(event) {
  const buttons = [...event.currentTarget.querySelectorAll("button.span")];
  const at = buttons.indexOf(document.activeElement);
  const last = buttons.length - 1;
  const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  buttons[to].focus();
}

/** Draws a trace. When it is drawn again with more spans, open spans and the focus stay. */
export function draw(place, traceId, spans, openTrace) {
  const isSame = place.dataset.trace === traceId;
  const open = isSame ? [...place.querySelectorAll("[aria-expanded=true]")].map((one) => one.getAttribute("aria-controls")) : [];
  const focused = isSame && place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-controls") : null;
  const start = Math.min(...spans.map((span) => span.startUnixNano));
  const whole = Math.max(1, Math.max(...spans.map((span) => span.endUnixNano)) - start);
  const list = element("ul", { className: "waterfall" }, ...trees(spans).map((tree) => row(tree, { start, whole }, openTrace)));
  list.addEventListener("keydown", walk);
  place.dataset.trace = traceId;
  place.replaceChildren(
    element("h3", {}, "Trace ", element("code", {}, traceId)),
    element("p", { className: "scale" }, `${spans.length} ${spans.length === 1 ? "span" : "spans"} in ${human(whole / 1e6)}; select a span for its attributes`),
    list);
  for (const button of list.querySelectorAll("button.span")) {
    const id = button.getAttribute("aria-controls");
    if (open.includes(id)) button.click();
    if (id === focused) button.focus();
  }
}
