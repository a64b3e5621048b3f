// Reads metrics and labels of a query with Prometheus' own grammar. promtool checks whether the query is valid.

import { load } from "./packages.js";

const { parser } = load("@prometheus-io/lezer-promql");

/** Labels that Prometheus adds: of the resource, of histograms. */
const OWN_LABELS = new Set(["job", "instance", "le", "__name__", "alertname"]);

export function promqlFaults(text, words) {
  const faults = [];
  let metrics = [];
  parser.parse(text).iterate({
    enter({ name, from, to, node }) {
      const at = text.slice(from, to);
      if (name === "⚠") faults.push(`cannot be read at ${JSON.stringify(text.slice(from, from + 20))}`);
      if (name === "VectorSelector") {
        const metric = node.getChild("Identifier");
        if (metric === null) return;
        const metricName = text.slice(metric.from, metric.to);
        const labels = words.metrics.get(metricName);
        if (labels === undefined) { faults.push(`no metric is named ${metricName}`); return; }
        metrics.push(labels);
        for (const matcher of node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? []) {
          faults.push(...matcherFaults(text, matcher, metricName, labels));
        }
      }
      if (name === "GroupingLabels") {
        for (const label of node.getChildren("LabelName").map((child) => text.slice(child.from, child.to))) {
          if (!OWN_LABELS.has(label) && ![...words.metrics.values()].some((labels) => labels.has(label))) {
            faults.push(`no metric has the label ${label} (${at})`);
          }
        }
      }
    },
  });
  // A grouping can only use labels of the query's own metrics.
  for (const [, list] of text.matchAll(/\bby\s*\(([^)]*)\)/g)) {
    for (const label of list.split(",").map((label) => label.trim()).filter((label) => label && !OWN_LABELS.has(label))) {
      if (!metrics.some((labels) => labels.has(label))) faults.push(`none of its metrics has the label ${label}`);
    }
  }
  return [...new Set(faults)];
}

function matcherFaults(text, matcher, metric, labels) {
  const of = (name) => { const child = matcher.getChild(name); return text.slice(child.from, child.to); };
  const [label, operator, quoted] = [of("LabelName"), of("MatchOp"), of("StringLiteral")];
  if (OWN_LABELS.has(label)) return [];
  if (!labels.has(label)) return [`${metric} has no label ${label}`];
  const values = labels.get(label);
  const value = quoted.slice(1, -1);
  if (!values || value === "") return [];
  const alternatives = operator.endsWith("~") ? value.split("|") : [value];
  const isRegex = (word) => operator.endsWith("~") && /[.*+?[\]()\\^$]/.test(word);
  return alternatives
    .filter((word) => (isRegex(word) ? ![...values].some((known) => new RegExp(`^(?:${word})$`).test(known)) : !values.has(word)))
    .map((word) => `${label} of ${metric} is never ${word}`);
}
