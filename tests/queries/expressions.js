// Prints every PromQL expression that is not a rule as a file of rules, so that promtool can check it.
//
//   node expressions.js ROOT

import { load } from "./packages.js";
import { documents, queries } from "./sources.js";

const found = queries(documents(process.argv[2])).filter(({ language, where }) => language === "promql" && !where.startsWith("rule "));
const rules = found.map(({ text, where }, index) => ({ record: `expression:${index + 1}`, expr: text, labels: { where } }));
console.log(load("yaml").stringify({ groups: [{ name: "expressions", rules }] }));
