// Checks every query of the workbook, the alerts, the dashboard, the rules and the documents against the grammar of its
// language, the tables that it reads, and the names that the handler emits.
//
//   node check.js ROOT TELEMETRY.MD
//
// ROOT is the repository, or a changed copy of it. Prints one line per check.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { kqlFaults } from "./kql.js";
import { promqlFaults } from "./promql.js";
import { runbookFaults, shapeFaults } from "./shape.js";
import { documents, queries } from "./sources.js";
import { traceqlFaults } from "./traceql.js";
import { vocabulary } from "./vocabulary.js";

const LANGUAGES = { kql: kqlFaults, promql: promqlFaults, traceql: traceqlFaults };

/** Pairs of a check and its faults. */
export function findings(root, telemetry) {
  const words = vocabulary(readFileSync(telemetry, "utf8"));
  const found = documents(root);
  const read = new Set();
  const ofQueries = queries(found).map(({ where, language, text, tables }) => (
    [`${where}, ${language}`, LANGUAGES[language](text, words, found.schema, { tables, read })]));
  const unread = Object.entries(found.schema.tables).flatMap(([table, { columns }]) =>
    Object.keys(columns).filter((column) => !read.has(`${table}.${column}`)).map((column) => `${table}.${column}`));
  return [
    ...ofQueries,
    ["every column of the schema is read by a query", unread],
    ...shapeFaults(found),
    ["alerts and runbook refer to each other", runbookFaults(found)],
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [what, faults] of findings(...process.argv.slice(2))) {
    if (faults.length === 0) console.log(`ok   queries: ${what}`);
    else process.exitCode = 1;
    for (const fault of faults) console.log(`FAIL queries: ${what} — ${fault}`);
  }
}
