// Reads span names, attributes and their values of a query with Tempo's own grammar.

import { load } from "./packages.js";

const { parser } = load("@grafana/lezer-traceql");

export function traceqlFaults(text, words) {
  const faults = [];
  const slice = (node) => text.slice(node.from, node.to);
  parser.parse(text).iterate({
    enter({ name, from, node }) {
      if (name === "⚠") faults.push(`cannot be read at ${JSON.stringify(text.slice(from, from + 20))}`);
      if (name === "AttributeField") {
        const [scope, key] = split(slice(node));
        const known = scope === "resource" ? words.resourceAttributes : words.attributes;
        if (!known.has(key)) faults.push(`no ${scope} has the attribute ${key}`);
      }
      if (name === "FieldExpression") faults.push(...comparisonFaults(node, slice, words));
    },
  });
  return [...new Set(faults)];
}

const split = (field) => { const dot = field.indexOf("."); return [field.slice(0, dot), field.slice(dot + 1)]; };

function comparisonFaults(node, slice, words) {
  const [left, right] = node.getChildren("FieldExpression");
  const operator = node.getChild("FieldOp");
  if (!left || !right || !operator || !["=", "!="].includes(slice(operator)) || !/^"/.test(slice(right))) return [];
  const value = slice(right).slice(1, -1);
  if (slice(left) === "name") return words.isSpan(value) ? [] : [`no span is named ${value}`];
  const values = words.attributes.get(split(slice(left))[1]);
  return values && !values.has(value) ? [`${slice(left)} is never ${value}`] : [];
}
