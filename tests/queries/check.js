// Holds every query of the workbook, the alerts, the dashboard, the rules and the documents against the grammar of its
// language, the tables that it reads, and the names that the handler emits.
//
//   node check.js ROOT TELEMETRY.MD
//
// ROOT is the repository, or a changed copy of it. One line a check, and the sum at the end.

import { readFileSync } from "node:fs";
import { kqlFaults } from "./kql.js";
import { promqlFaults } from "./promql.js";
import { runbookFaults, shapeFaults } from "./shape.js";
import { documents, queries } from "./sources.js";
import { traceqlFaults } from "./traceql.js";
import { vocabulary } from "./vocabulary.js";

const [root, telemetry] = process.argv.slice(2);
const words = vocabulary(readFileSync(telemetry, "utf8"));
const found = documents(root);

let [passed, failed] = [0, 0];
function check(what, faults) {
  if (faults.length === 0) { passed += 1; console.log(`ok   queries: ${what}`); return; }
  failed += 1;
  for (const fault of faults) console.log(`FAIL queries: ${what} — ${fault}`);
}

const languages = { kql: kqlFaults, promql: promqlFaults, traceql: traceqlFaults };
const read = new Set();
for (const { where, language, text, tables } of queries(found)) {
  check(`${where}, ${language}`, languages[language](text, words, found.schema, { tables, read }));
}
check("the schema has no column that no query reads", Object.entries(found.schema.tables).flatMap(([table, { columns }]) =>
  Object.keys(columns).filter((column) => !read.has(`${table}.${column}`)).map((column) => `${table}.${column}`)));
for (const [what, faults] of shapeFaults(found)) check(what, faults);
check("alerts and runbook name each other", runbookFaults(found));

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
