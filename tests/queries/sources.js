// Finds all queries, with their languages.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "./packages.js";

const yaml = load("yaml");

/** The files, parsed. */
export function documents(root) {
  const text = (path) => readFileSync(join(root, path), "utf8");
  const monitoring = (name) => JSON.parse(text(`infra/monitoring/${name}`));
  const pages = ["README.md", "docs/runbook.md", "docs/telemetry.md", "infra/monitoring/README.md"];
  return {
    alerts: monitoring("alerts.json"),
    workbook: monitoring("workbook.json"),
    dashboard: monitoring("grafana-dashboard.json"),
    schema: monitoring("schema.json"),
    host: JSON.parse(text("host.json")),
    rules: yaml.parse(text("infra/monitoring/prometheus-rules.yml")),
    hours: yaml.parse(text("tests/queries/rules.test.yml")),
    unknowns: text("docs/azure-unknowns.md"),
    source: (path) => text(path),
    pages: pages.filter((path) => existsSync(join(root, path))).map((path) => ({ path, text: text(path) })),
  };
}

/** Every query: its place, its language, and the tables of the schema that it can read. */
export function queries(found) {
  return [
    ...found.alerts.map((alert) => ({ where: `alert ${alert.name}`, language: "kql", text: alert.query, tables: isLogTable })),
    ...workbookQueries(found.workbook.items),
    ...found.rules.groups.flatMap(({ rules }) => rules.map((rule) => (
      { where: `rule ${rule.alert ?? rule.record}`, language: "promql", text: rule.expr }))),
    ...dashboardQueries(found.dashboard),
    ...found.pages.flatMap(pageQueries),
  ];
}

const isLogTable = (table) => table !== "Resources";
const isGraphTable = (table) => table === "Resources";
const GRAPH = 1;

function workbookQueries(items) {
  return items.flatMap(({ name, content, type }) => {
    if (type === 12) return workbookQueries(content.items);
    if (type !== 3) return [];
    const tables = content.queryType === GRAPH ? isGraphTable : isLogTable;
    return [{ where: `workbook ${name}`, language: "kql", text: withParameters(content.query), tables }];
  });
}

/** A workbook replaces parameters in the text of a query before it runs. */
function withParameters(text) {
  return text.replaceAll("{TimeRange:grain}", "1h").replace(/\{[A-Z]\w*\}/g, "x");
}

function dashboardQueries({ panels, templating, annotations }) {
  const fromPanels = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]).flatMap(({ title, targets = [] }) =>
    targets.map((target) => {
      const text = withMacros(target.expr ?? target.query);
      return { where: `dashboard ${title}`, language: target.datasource.type === "tempo" ? "traceql" : "promql", text };
    }));
  const fromVariables = templating.list.filter(({ type }) => type === "query").map(({ name, query }) => {
    // label_values(selector, label): the selector is PromQL.
    const [, selector] = /^label_values\((.+),\s*\w+\)$/.exec(query.query ?? query) ?? [];
    return { where: `dashboard variable ${name}`, language: "promql", text: selector ?? "label_values without a selector" };
  });
  const fromAnnotations = annotations.list.map(({ name, expr }) => ({ where: `dashboard annotation ${name}`, language: "promql", text: withMacros(expr) }));
  return [...fromPanels, ...fromVariables, ...fromAnnotations];
}

/** Grafana replaces these in the text of a query before it runs. */
export function withMacros(text) {
  return text.replaceAll("$__rate_interval", "5m").replaceAll("$__range", "24h").replaceAll(/\$\{?\w+\}?/g, "x");
}

function pageQueries({ path, text }) {
  const languages = { kusto: "kql", promql: "promql", traceql: "traceql" };
  return [...text.matchAll(/^```(kusto|promql|traceql)\n(.*?)^```$/gms)].map(([, language, query], index) => (
    { where: `${path}, query ${index + 1}`, language: languages[language], text: query, tables: () => true }));
}
