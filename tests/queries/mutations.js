// Tests the checks: each of these changes plants a mistake in a copy of the repository, and the check for it must report
// the mistake.
//
//   PYTHON=… node mutations.js ROOT TELEMETRY.MD

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findings } from "./check.js";

const [root, telemetry] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const COPIED = ["infra/monitoring", "docs/runbook.md", "docs/azure-unknowns.md", "README.md", "tests/queries/rules.test.yml",
  "src/estate/survey.rs", "src/enforce", "src/policy/day.rs", "src/policy/protection.rs", "src/function/functions.rs", "src/telemetry/line.rs",
  "tests/emulator/src/queue.rs", "infra/events.json", "function-definitions", "host.json"];
const [ALERTS, WORKBOOK, DASHBOARD] = ["alerts.json", "workbook.json", "grafana-dashboard.json"].map((name) => `infra/monitoring/${name}`);
const [RULES, SCHEMA, RUNBOOK] = ["infra/monitoring/prometheus-rules.yml", "infra/monitoring/schema.json", "docs/runbook.md"];

/** Each returns the faults of a copy; the tests on nights, those of one alert or item. */
const words = (copy) => findings(copy, join(copy, "docs/telemetry.md")).flatMap(([, faults]) => faults);
const program = (command, ...options) => (copy) => {
  const { status, stdout, stderr } = spawnSync(command, options.map((option) => (option === "ROOT" ? copy : option)), { encoding: "utf8" });
  return status === 0 ? [] : `${stdout}${stderr}`.split("\n").filter((line) => /^FAIL|^\w*Error/.test(line));
};
const promtool = program(join(here, "prometheus"), "ROOT");
const python = (script) => (...options) => program(process.env.PYTHON, join(here, script), "ROOT", ...options);
const [alerts, workbook, types] = ["alerts.py", "workbook.py", "dashboard.py"].map(python);

/** Name, file, old text, new text, the check that must report it, and the words of the report. */
const MUTATIONS = [
  ["a table", RUNBOOK, "AegDeliveryFailureLogs\n", "AegDeliveryFailureLog\n", words, "AegDeliveryFailureLog'"],
  ["a table of a union", ALERTS, "(StorageQueueLogs |", "(StorageQueueLog |", alerts("poisoned"), "a message is poisoned"],
  ["a column", ALERTS, "DurationMs * 1ms", "DurationMS * 1ms", words, "DurationMS"],
  ["a column of a join", WORKBOOK, "$right.InvocationId", "$right.InvocationID", words, "InvocationID"],
  ["an operator", ALERTS, "| summarize", "| summarise", words, "operator expected"],
  ["a function", ALERTS, "percentile(", "percentil(", words, "percentil"],
  ["an attribute", ALERTS, "diskseal.outcome", "diskseal.outcom", words, "no span has the attribute diskseal.outcom"],
  ["an attribute of metrics alone", ALERTS, "diskseal.resource_id", "diskseal.trigger", words, "no span has the attribute diskseal.trigger"],
  ["a convention's attribute", WORKBOOK, "http.response.status_code", "http.status_code", words, "no span has the attribute http.status_code"],
  ["an outcome", ALERTS, "(\\\"pending\\\", \\\"failed\\\")", "(\\\"pending\\\", \\\"faild\\\")", words, "diskseal.outcome is never faild"],
  ["an outcome, by an alias", ALERTS, "Outcome = \\\"failed\\\"", "Outcome = \\\"broken\\\"", words, "diskseal.outcome is never broken"],
  ["a span", ALERTS, "\\\"seal_queued\\\", \\\"sweep\\\"", "\\\"seal-queue\\\", \\\"sweep\\\"", words, "no span is named seal-queue"],
  ["the begin of a span", WORKBOOK, "\\\"wait for \\\"", "\\\"waits for \\\"", words, "no span is named waits for"],
  ["a table of logs, asked of Resource Graph", WORKBOOK, "\"query\": \"Resources\\n", "\"query\": \"OTelLogs\\n", words, "OTelLogs"],
  ["a parameter", WORKBOOK, "{Disk}", "{Disc}", words, "no parameter is named Disc"],
  ["the column that an alert measures", ALERTS, "\"metricMeasureColumn\": \"Missing\"", "\"metricMeasureColumn\": \"Missin\"", words, "its column is not in its query"],
  ["the window of an alert", ALERTS, "\"windowSize\": \"PT1H\"", "\"windowSize\": \"PT50M\"", words, "windowSize"],
  ["a column that nobody reads", SCHEMA, "\"SeverityText\": {", "\"SeverityNumber\": { \"type\": \"int\" }, \"SeverityText\": {", words, "OTelLogs.SeverityNumber"],
  ["an assumption without an owner", SCHEMA, "\"assumed\": \"M1\"", "\"assumed\": \"M99\"", words, "no row M99"],
  ["a query of the runbook", RUNBOOK, "tostring(Attributes[\"diskseal.reason\"])", "tostring(Attributes[\"diskseal.cause\"])", words, "diskseal.cause"],
  ["a section of the runbook", RUNBOOK, "## Poisoned", "## Given up", words, "poisoned points at"],
  ["a part of a section", RUNBOOK, "**What to do.**", "**What then.**", words, "does not say what to do"],
  ["a rule's section", RULES, "runbook.md#slow", "runbook.md#slower", words, "DisksealSlow points at"],
  ["the text of the log", "src/estate/survey.rs", "the exemption of {} ends", "the exemption of {} will end", words, "src/estate/survey.rs does not say"],
  ["the text of the log, of a listed exemption", "src/estate/survey.rs", "[{number}] ends on", "[{number}] will end on", words, "src/estate/survey.rs does not say"],
  ["the receipts of a message", "src/function/functions.rs", "RECEIPTS_MAX: u32 = 16", "RECEIPTS_MAX: u32 = 12", words, "does not name 12 receipts"],
  ["the looks of the runbook", RUNBOOK, "| order by First asc", "| where Looks >= 11\n| order by First asc", words, "Looks >= 11 never matches"],
  ["the minutes of the runbook", RUNBOOK, "A resource could not be sealed for 75 minutes", "A resource could not be sealed for 80 minutes", words, "says 80 minutes"],
  ["the life of a poison message", RUNBOOK, "Azure deletes it after seven days", "Azure deletes it after eight days", words, "says eight days"],
  ["the schedule of the looks", RUNBOOK, "0, 5, 15, 35 and 75 minutes later", "0, 5, 15, 30 and 75 minutes later", words, "does not name at the receipts"],
  ["the looks of a rule", RULES, "after 6 looks in 75 minutes", "after 5 looks in 75 minutes", words, "rule DisksealPoisoned does not name 6 looks"],
  ["the days of an alert", ALERTS, "Azure deletes it after 7 days", "Azure deletes it after 9 days", words, "alert poisoned says 9 days"],
  ["the window of a text", ALERTS, "and within 2 hours Event Grid", "and within 5 hours Event Grid", words, "alert unhandled says 5 hours"],
  ["the pauses of the code", "src/enforce/breaker.rs", "[0, 0, 5, 15, 30, 60]", "[0, 0, 5, 15, 45, 60]", words, "says 30 in"],
  ["the calm of the code", "src/enforce/breaker.rs", "CALM: Duration = Duration::from_mins(10)", "CALM: Duration = Duration::from_mins(11)", words, "says ten minutes"],
  ["the life in the queue", "tests/emulator/src/queue.rs", "from_hours(7 * 24)", "from_hours(6 * 24)", words, "says seven days"],
  ["the pause of host.json", "host.json", "\"visibilityTimeout\": \"00:05:00\"", "\"visibilityTimeout\": \"00:06:00\"", words, "does not name 90 minutes"],
  ["the words of a removed seal", "src/enforce/outcome.rs", "its seal had been removed", "its seal has been removed", words, "outcome.rs does not say"],
  ["the words of a missed event", "src/enforce/outcome.rs", "it is new, and no event had sealed it", "it is new, and no event sealed it", words, "outcome.rs does not say"],
  ["the reason of a missed event", ALERTS, "\\\"event_missed\\\"", "\\\"event_lost\\\"", words, "diskseal.reason is never event_lost"],
  ["the line of a missed event", ALERTS, "it is new, and no event had sealed it", "no event had sealed it so far", alerts("event-missed"), "no traces"],
  ["the window of a missed event", ALERTS, "\"evaluationFrequency\": \"PT1H\",\n    \"windowSize\": \"P1D\"", "\"evaluationFrequency\": \"PT1H\",\n    \"windowSize\": \"PT12H\"", alerts("event-missed"), "a sweep sealed a new disk"],
  ["the reason of a missed event, of a rule", RULES, "sum(increase(diskseal_outcomes_total{diskseal_reason=\"event_missed\"}", "sum(increase(diskseal_outcomes_total{diskseal_reason=\"event_lost\"}", words, "event_lost"],
  ["the first series of a missed event", RULES, "            unless\n            diskseal_outcomes_total{diskseal_reason=\"event_missed\"} offset 1d", "            and\n            diskseal_outcomes_total{diskseal_reason=\"event_missed\"} offset 1d", promtool, "DisksealEventMissed"],
  ["the words of an unknown protection", "src/policy/protection.rs", "cannot read whether a vault protects it", "does not know whether a vault protects it", words, "protection.rs does not say"],
  ["a metric of a rule", RULES, "diskseal_queue_age_seconds_count", "diskseal_queue_age_count", words, "no metric is named diskseal_queue_age_count"],
  ["a label", RULES, "diskseal_outcome=~", "diskseal_outcomes=~", words, "has no label diskseal_outcomes"],
  ["the word of a label", RULES, "\"pending|failed\"", "\"pending|faild\"", words, "is never faild"],
  ["a label of a grouping", DASHBOARD, "sum by (diskseal_event_kind)", "sum by (diskseal_trigger)", words, "none of its metrics has the label diskseal_trigger"],
  ["a label of the line for a new version", DASHBOARD, "group by (service_version) (target_info", "group by (service_release) (target_info", words, "none of its metrics has the label service_release"],
  ["a metric of the dashboard", DASHBOARD, "diskseal_sweep_coverage_ratio", "diskseal_sweep_coverage", words, "no metric is named diskseal_sweep_coverage"],
  ["an attribute in TraceQL", DASHBOARD, "span.diskseal.reason", "span.diskseal.cause", words, "no span has the attribute diskseal.cause"],
  ["a span in TraceQL", DASHBOARD, "name = \\\"enforce\\\"", "name = \\\"enforcement\\\"", words, "no span is named enforcement"],
  ["the word of an attribute in TraceQL", DASHBOARD, "span.diskseal.outcome = \\\"sealed\\\"", "span.diskseal.outcome = \\\"done\\\"", words, "is never done"],
  ["the grammar of TraceQL", DASHBOARD, "&& duration > 10s", "&& duration >> 10s", words, "cannot be read"],
  ["a name on the page of telemetry", "docs/telemetry.md", "`diskseal.event_age_seconds` |", "`diskseal.event.age` |", words, "no span has the attribute diskseal.event_age_seconds"],
  ["a metric on the page of telemetry", "docs/telemetry.md", "| `diskseal.time_to_seal` | histogram", "| `diskseal.time.to.seal` | histogram", words, "diskseal.time.to.seal"],
  ["a function of PromQL", RULES, "histogram_quantile(", "histogram_quantil(", promtool, "histogram_quantil"],
  ["a macro that Grafana does not know", DASHBOARD, "[$__rate_interval]", "[rate_interval]", promtool, "FAIL"],
  ["the threshold of a rule", RULES, ") > 60", ") > 600", promtool, "DisksealSlow"],
  ["the trigger of a rule", RULES, "diskseal_trigger=\"event\"", "diskseal_trigger=\"queue\"", promtool, "DisksealSlow"],
  ["the threshold of an alert", ALERTS, "\"threshold\": 0.1", "\"threshold\": 0.9", alerts("failing"), "alert failing"],
  ["the sense of an alert", ALERTS, "spanCount == 0", "spanCount > 0", alerts("silent"), "alert silent"],
  ["the records of what has no trace", ALERTS, "recordCount == 0", "recordCount >= 0", alerts("silent"), "only a share of what changed nothing"],
  ["a table that is not there", ALERTS, "union isfuzzy=true (datatable(TimeGenerated: datetime, OperationName: string, StatusCode: string, Uri: string)[]), (Storage", "union isfuzzy=true (Storage", alerts("poisoned"), "no table exists"],
  ["a table that is not there, of the dead man's switch", ALERTS, "let handled = union isfuzzy=true", "let handled = union", alerts("unhandled"), "no table"],
  ["the host's log instead of traces", ALERTS, "isnotempty(Outcome) and isnotempty(Resource)", "isempty(Resource)", alerts("seal-removed"), "no traces"],
  ["the age of an installation", ALERTS, "and firstRow < ago(36h)", "", alerts("sweep-missing"), "an hour old"],
  ["the end of an invocation", ALERTS, "(Succeeded\\\" | project Handled".replace(" | project", "\\n    | project"), "(\\\"\\n    | project Handled", alerts("unhandled"), "cannot be started"],
  ["the patience of an alert", ALERTS, "TimeGenerated < ago(30m)", "TimeGenerated < ago(30d)", alerts("unhandled"), "alert unhandled"],
  ["whose writes an alert counts", ALERTS, "| where not(Claims has \\\"__HANDLER_CLIENT_ID__\\\")\\n", "", alerts("unhandled"), "own writes raise no event"],
  ["the words of a warning", ALERTS, "the switch at", "the switch of", alerts("switch-unreadable"), "reads fail all the time"],
  ["the patience with the switch", ALERTS, "by Minute = bin(TimeGenerated, 1m)", "by Minute = TimeGenerated", alerts("switch-unreadable"), "alert switch-unreadable"],
  ["the patience of a rule", RULES, "diskseal_switch_failures_total[6h])) > 2.5", "diskseal_switch_failures_total[6h])) > 0", promtool, "DisksealSwitchUnreadable"],
  ["own writes that are no events", RULES, "[6h] offset 6h)) > 0.5", "[6h] offset 6h)) >= 0", promtool, "DisksealBlind"],
  ["the aggregation of an alert", ALERTS, "\"timeAggregation\": \"Minimum\"", "\"timeAggregation\": \"Maximum\"", alerts("exemptions-expiring"), "alert exemptions-expiring"],
  ["a property of a disk", WORKBOOK, "properties.dataAccessAuthMode", "properties.dataAccessMode", workbook("coverage"), "workbook coverage"],
  ["a unit", WORKBOOK, "DurationMs * 1ms", "DurationMs * 1s", workbook("time-to-seal"), "workbook time-to-seal"],
  ["a field of a panel", DASHBOARD, "\"displayMode\"", "\"displaymode\"", types(), "displaymode"],
  ["a kind of panel's option", DASHBOARD, "\"reduceOptions\"", "\"reduceOption\"", types(), "reduceOption"],
  ["a field of the dashboard", DASHBOARD, "\"graphTooltip\"", "\"graphTooltips\"", types(), "graphTooltips"],
  ["a data source", DASHBOARD, "\"uid\": \"${tempo}\"", "\"uid\": \"${tempos}\"", types(), "asks"],
];

let failed = 0;
const copy = mkdtempSync(join(tmpdir(), "diskseal-mutations-"));
try {
  for (const [what, file, from, to, judge, words] of MUTATIONS) {
    fresh();
    const path = join(copy, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(from, () => to));
    const says = noticed(judge).join("\n");
    if (!text.includes(from)) complain(what, `a place to change: ${from}`, "none");
    else if (says !== "" && says.includes(words)) console.log(`ok   queries: a wrong word is noticed, ${what}`);
    else complain(what, `a failure that says ${words}`, says.slice(0, 300) || "none");
  }
} finally {
  rmSync(copy, { recursive: true });
}
process.exitCode = failed === 0 ? 0 : 1;

/** A file that cannot be parsed counts as reported. */
function noticed(judge) {
  try {
    return judge(copy);
  } catch (error) {
    return [String(error)];
  }
}

function fresh() {
  rmSync(copy, { recursive: true });
  for (const path of COPIED) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path), { recursive: true });
  }
  cpSync(telemetry, join(copy, "docs/telemetry.md"));
}

function complain(what, expected, got) {
  failed += 1;
  console.log(`FAIL queries: a wrong word is noticed, ${what} — expected ${expected} got ${got}`);
}
