// Checks beyond the grammar: the files are complete, agree with each other, and only refer to what exists.

import { numberFaults } from "./numbers.js";

/** The values that Azure Monitor accepts for the frequency and the window of a log search alert. */
const FREQUENCIES = ["PT5M", "PT10M", "PT15M", "PT30M", "PT45M", "PT1H", "PT2H", "PT3H", "PT4H", "PT5H", "PT6H", "P1D"];
const WINDOWS = [...FREQUENCIES, "P2D"];
const ALERT = {
  name: (value) => /^[a-z]+(-[a-z]+)*$/.test(value),
  displayName: (value) => value.startsWith("Diskseal: "),
  description: (value) => value.endsWith("."),
  severity: (value) => [0, 1, 2, 3, 4].includes(value),
  evaluationFrequency: (value) => FREQUENCIES.includes(value),
  windowSize: (value) => WINDOWS.includes(value),
  query: (value) => value.trim() === value && value !== "",
  timeAggregation: (value) => ["Average", "Minimum", "Maximum", "Total"].includes(value),
  metricMeasureColumn: (value) => /^\w+$/.test(value),
  operator: (value) => ["GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"].includes(value),
  threshold: Number.isFinite,
  numberOfEvaluationPeriods: Number.isInteger,
  minFailingPeriodsToAlert: Number.isInteger,
  autoMitigate: (value) => typeof value === "boolean",
  needsTraces: (value) => typeof value === "boolean",
  runbook: (value) => value.startsWith(RUNBOOK),
};
const RUNBOOK = "docs/runbook.md#";
const WORKSPACE = "__WORKSPACE_ID__";

/** Pairs of a check and its faults. */
export function shapeFaults(found) {
  return [
    ...found.alerts.map((alert) => [`alert ${alert.name}, shape`, alertFaults(alert)]),
    ["the names of alerts are unique", repeated(found.alerts.map(({ name }) => name))],
    ["the schema's assumptions are listed with the other unknowns", unknownFaults(found)],
    ["the workbook's items and parameters", workbookFaults(found.workbook)],
    ["rules have a severity, a summary and a description", ruleFaults(found.rules)],
    ["every rule has a test in which it fires and one in which it does not", hoursFaults(found)],
    ["texts and names that the handler writes", sourceFaults(found)],
    ["every number in the texts is that of host.json, the code or the query", numberFaults(found)],
  ];
}

function alertFaults(alert) {
  const wrong = Object.entries(ALERT).filter(([field, holds]) => !holds(alert[field] ?? "")).map(([field]) => `${field}: ${JSON.stringify(alert[field])}`);
  const unknown = Object.keys(alert).filter((field) => !(field in ALERT)).map((field) => `unknown field ${field}`);
  const window = minutes(alert.windowSize) < minutes(alert.evaluationFrequency) ? ["looks at less than the time between its looks"] : [];
  const periods = alert.minFailingPeriodsToAlert > alert.numberOfEvaluationPeriods ? ["can never fire"] : [];
  const column = new RegExp(`\\b${alert.metricMeasureColumn} = `).test(alert.query) ? [] : ["its column is not in its query"];
  return [...wrong, ...unknown, ...window, ...periods, ...column];
}

function minutes(duration) {
  const [, days = 0, hours = 0, rest = 0] = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(duration) ?? [];
  return Number(days) * 1440 + Number(hours) * 60 + Number(rest);
}

function unknownFaults({ schema, unknowns }) {
  const numbers = Object.entries(schema.tables).flatMap(([table, { columns, source }]) => [
    ...(source?.length > 0 ? [] : [`${table} has no source`]),
    ...Object.entries(columns).filter(([, { assumed }]) => assumed && !unknowns.includes(`| ${assumed} |`))
      .map(([column, { assumed }]) => `${table}.${column}: no row ${assumed} in docs/azure-unknowns.md`),
  ]);
  return numbers;
}

function workbookFaults({ version, items, fallbackResourceIds }) {
  const parameters = items.filter(({ type }) => type === 9).flatMap(({ content }) => content.parameters);
  const queries = items.filter(({ type }) => type === 3);
  const known = new Set([...parameters.map(({ name }) => name), ...queries.map(({ content }) => content.exportParameterName).filter(Boolean)]);
  const used = queries.flatMap(({ content }) => [content.query, ...content.crossComponentResources, `{${content.timeContextFromParameter ?? "TimeRange"}}`])
    .flatMap((text) => [...text.matchAll(/\{([A-Z]\w*)(?::\w+)?\}/g)].map(([, name]) => name));
  return [
    ...(version === "Notebook/1.0" ? [] : ["is no notebook"]),
    ...(fallbackResourceIds.join() === WORKSPACE ? [] : [`falls back to ${fallbackResourceIds}, not to ${WORKSPACE}`]),
    ...(parameters.find(({ name }) => name === "Workspace")?.value === WORKSPACE ? [] : [`the workspace is not ${WORKSPACE}`]),
    ...repeated(items.map(({ name }) => name)),
    ...repeated(parameters.map(({ id }) => id)),
    ...used.filter((name) => !known.has(name)).map((name) => `no parameter is named ${name}`),
  ];
}

function ruleFaults({ groups }) {
  return groups.flatMap(({ rules }) => rules).filter(({ alert }) => alert).flatMap(({ alert, labels, annotations }) => [
    ...(["critical", "warning", "info"].includes(labels?.severity) ? [] : [`${alert}: severity ${labels?.severity}`]),
    ...["summary", "description"].filter((field) => !annotations?.[field]).map((field) => `${alert}: no ${field}`),
  ]);
}

/** Each rule has a test in which it fires, and one in which it does not. */
function hoursFaults({ rules, hours }) {
  const tests = hours.tests.flatMap(({ alert_rule_test: list }) => list);
  return rules.groups.flatMap((group) => group.rules).filter(({ alert }) => alert).flatMap(({ alert }) => {
    const own = tests.filter(({ alertname }) => alertname === alert);
    return [
      ...(own.some(({ exp_alerts: expected }) => expected?.length > 0) ? [] : [`${alert} never fires`]),
      ...(own.some(({ exp_alerts: expected }) => !expected?.length) ? [] : [`${alert} is never quiet`]),
    ];
  });
}

/** Texts that queries search for, and that other files of this repository define. */
function sourceFaults({ source }) {
  const places = [
    ["src/estate/survey.rs", "the exemption of {} ends on {until}"],
    ["src/estate/survey.rs", "the exemption of DISKSEAL_EXEMPTIONS[{number}] ends on {until}"],
    ["src/enforce/outcome.rs", "its seal had been removed"],
    ["src/enforce/outcome.rs", "its seal was removed"],
    ["src/enforce/outcome.rs", "it is new, and no event had sealed it"],
    ["src/enforce/error.rs", "its seal was removed repeatedly"],
    ["src/estate/survey.rs", "the backup guard is unsure of"],
    ["src/policy/protection.rs", "cannot read whether a vault protects it"],
    ["src/enforce/line.rs", "\"{} {}\", self.outcome, self.resource"],
    ["src/telemetry/line.rs", "warning: "],
    ["function-definitions/seal_queued/function.json", "\"queueName\": \"diskseal-pending\""],
    ...["seal_on_write", "seal_queued", "sweep"].map((name) => [`function-definitions/${name}/function.json`, "bindings"]),
  ];
  return places.filter(([path, words]) => !source(path).includes(words)).map(([path, words]) => `${path} does not say ${words}`);
}

/** Every alert and rule has its section in the runbook, and every section an alert. */
export function runbookFaults({ alerts, rules, pages }) {
  const page = pages.find(({ path }) => path === "docs/runbook.md");
  if (page === undefined) return ["there is no docs/runbook.md"];
  const sections = new Map(page.text.split(/^## /m).slice(1).map((text) => [anchor(text.split("\n")[0]), text]));
  const named = [
    ...alerts.map(({ name, runbook }) => [name, runbook]),
    ...rules.groups.flatMap((group) => group.rules).filter(({ alert }) => alert).map(({ alert, annotations }) => [alert, annotations.runbook]),
  ];
  const missing = named.filter(([, runbook]) => !sections.has(runbook?.replace(RUNBOOK, ""))).map(([name, runbook]) => `${name} points at ${runbook}`);
  const used = new Set(named.map(([, runbook]) => runbook?.replace(RUNBOOK, "")));
  const unused = [...sections.keys()].filter((name) => !used.has(name)).map((name) => `no alert points at the section ${name}`);
  const parts = [...sections].flatMap(([name, body]) => ["What it means", "What to look at", "What to do"]
    .filter((part) => !body.includes(`**${part}.**`)).map((part) => `the section ${name} does not say ${part.toLowerCase()}`));
  return [...missing, ...unused, ...parts];
}

/** The anchor that GitHub derives from a heading. */
const anchor = (title) => title.trim().toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");

function repeated(names) {
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`);
}
