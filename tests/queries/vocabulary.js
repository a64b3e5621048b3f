// The names that the handler emits, from the tables of docs/telemetry.md, which a test compares with the code.

/** An HTTP status, where the page says "the status" instead of a list. */
const STATUS = { has: (value) => /^[1-5]\d\d$/.test(value) };

/**
 * - `attributes` and `resourceAttributes`: those of spans, and of the resource, each with its words where they are a
 *   closed set;
 * - `isSpan(name, isPrefix)`: whether a span has this name, or one has a name that begins so;
 * - `metrics`: each series by the name that Prometheus gives it, with its labels and their words.
 */
export function vocabulary(markdown) {
  const tables = tablesOf(markdown);
  const rows = (...header) => tables.filter((table) => header.every((name, index) => table.header[index] === name))
    .flatMap((table) => table.rows.map((cells) => Object.fromEntries(table.header.map((name, index) => [name, cells[index] ?? ""]))));
  const lists = { reasons: rows("reason").flatMap(({ reason }) => codes(reason)), codes: [...codes(section(markdown, "Codes")), "_OTHER"] };

  const attributes = new Map(rows("attribute", "on").flatMap((row) => {
    const says = row["what it says"];
    const words = /\bone of\b|\]\(#/.test(says) ? wordsOf(says, lists) : null;
    return codes(row.attribute).map((name) => [name, words]);
  }));
  const resourceAttributes = new Map(rows("attribute", "from").flatMap(({ attribute }) => codes(attribute).map((name) => [name, null])));
  const spans = rows("span").flatMap(({ span }) => codes(span));
  const metrics = new Map();
  const ofMetrics = rows("attribute", "of");
  for (const row of rows("metric")) {
    const [name] = codes(row.metric);
    const labels = new Map(codes(row.attributes).map((attribute) => {
      const cell = ofMetrics.find((line) => codes(line.attribute)[0] === attribute && codes(line.of).includes(name));
      if (cell === undefined) throw new Error(`docs/telemetry.md does not say what ${attribute} of ${name} may be`);
      return [underscored(attribute), wordsOf(cell.values, lists)];
    }));
    for (const series of prometheusNames(name, row.kind, codes(row.unit)[0])) metrics.set(series, labels);
  }
  // The resource, without the attributes that make a `job` and an `instance` ("Prometheus and OpenMetrics Compatibility").
  metrics.set("target_info", new Map([...resourceAttributes.keys()].map((name) => [underscored(name), null])));
  for (const [what, { size = 0 }] of Object.entries({ attributes, resourceAttributes, metrics, spans: new Set(spans), reasons: new Set(lists.reasons) })) {
    if (size === 0) throw new Error(`docs/telemetry.md has no table of ${what}`);
  }
  return { attributes, resourceAttributes, metrics, isSpan: spanNames(spans, attributes.get("http.request.method")) };
}

/** `request` stands for the names `{method} {url.template}`. */
function spanNames(spans, methods) {
  const names = spans.filter((name) => name !== "request");
  return (name, isPrefix = false) => names.some((known) => (isPrefix ? known.startsWith(name) : known === name))
    || [...methods].some((method) => name.startsWith(`${method} /`));
}

/** The values of a cell: its own, those of the lists that it refers to, and statuses; null if it has none. */
function wordsOf(cell, lists) {
  const words = new Set([
    ...codes(cell),
    ...(cell.includes("](#reasons)") ? lists.reasons : []),
    ...(cell.includes("](#codes)") ? lists.codes : []),
  ]);
  if (words.size === 0) return null;
  return { has: (value) => words.has(value) || (/\bthe status\b/.test(cell) && STATUS.has(value)), [Symbol.iterator]: () => words[Symbol.iterator]() };
}

/** "Prometheus and OpenMetrics Compatibility": names, units and suffixes. */
function prometheusNames(name, kind, unit) {
  const suffix = unit === "s" ? "_seconds" : unit === "1" && kind === "gauge" ? "_ratio" : "";
  const base = underscored(name) + suffix;
  if (kind === "histogram") return [`${base}_bucket`, `${base}_sum`, `${base}_count`];
  return kind === "counter" ? [`${base}_total`] : [base];
}

const underscored = (name) => name.replaceAll(".", "_");
const codes = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word);
const section = (markdown, title) => markdown.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? "";

function tablesOf(markdown) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const tables = [];
  let table;
  for (const line of markdown.split("\n")) {
    if (!line.startsWith("|")) { table = undefined; continue; }
    if (table === undefined) { table = { header: cells(line), rows: [] }; tables.push(table); continue; }
    if (!/^\|[\s:|-]+\|?$/.test(line)) table.rows.push(cells(line));
  }
  return tables;
}
