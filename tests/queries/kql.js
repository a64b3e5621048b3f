// Checks queries with Kusto's language service: it parses, and binds every name to the known tables. Keys and values
// within a property bag, which it does not know, are read from its syntax tree and checked against the handler's names.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInThisContext } from "node:vm";
import { folder } from "./packages.js";

globalThis.window = globalThis;
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  const path = join(folder, "node_modules/@kusto/language-service-next", file);
  runInThisContext(readFileSync(path, "utf8"), path);
}
const { Kusto, System } = globalThis;
const { Symbols, Syntax } = Kusto.Language;

const SPANS = "OTelSpans";
const BAGS = ["Attributes"];
const COMPARISONS = /^(Equal|NotEqual|EqualTilde|BangTilde|In|NotIn|InCs|NotInCs|HasAny|StartsWith|StartsWithCs)Expression$/;

/** The faults of a query. Adds the columns that it reads to `read`. */
export function kqlFaults(text, words, schema, { tables, read }) {
  const code = Kusto.Language.KustoCode.ParseAndAnalyze(text, globals(schema, tables));
  const faults = [];
  const diagnostics = code.GetDiagnostics();
  for (let index = 0; index < diagnostics.Count; index += 1) {
    faults.push(diagnostics.getItem(index).Message);
  }
  const nodes = [];
  walk(code.Syntax, (node) => nodes.push(node));
  for (const node of nodes) {
    const symbol = node.ReferencedSymbol;
    if (is(node, "NameReference") && symbol instanceof Symbols.ColumnSymbol) {
      for (const table of Object.keys(schema.tables)) {
        if (text.includes(table)) read.add(`${table}.${symbol.Name}`);
      }
    }
  }
  return [...faults, ...vocabularyFaults(nodes, words, text)];
}

function globals(schema, tables) {
  const symbols = Object.entries(schema.tables).filter(([name]) => tables(name)).map(([name, { columns }]) => {
    const list = Object.entries(columns).map(([column, { type }]) => `['${column}']:${type}`);
    return Symbols.TableSymbol.From(`(${list.join(",")})`).WithName(name);
  });
  return Kusto.Language.GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("workspace", symbols));
}

/** Keys of attributes, their values, and the names of spans. */
function vocabularyFaults(nodes, words, text) {
  const faults = [];
  if (!text.includes(SPANS)) return faults;
  // The meaning of a name in the query: a column of the table, or a key of a bag.
  const meaning = new Map([["Name", { column: "Name" }]]);
  for (const node of nodes.filter((node) => is(node, "SimpleNamedExpression"))) {
    const alias = content(node.Name);
    const meant = meaningOf(node.Expression, meaning);
    if (meant !== undefined && !meaning.has(alias)) meaning.set(alias, meant);
  }
  for (const node of nodes) {
    if (is(node, "ElementExpression")) {
      const key = keyOf(node);
      if (key !== undefined && !words.attributes.has(key)) faults.push(`no span has the attribute ${key}`);
    }
    if (is(node, "SimpleNamedExpression")) {
      const [value] = strings(node.Expression);
      if (is(node.Expression, "StringLiteralExpression")) faults.push(...valueFaults(meaning.get(content(node.Name)), value, words));
    }
    if (COMPARISONS.test(kind(node))) {
      const meant = meaningOf(node.Left, meaning) ?? meaningOf(node.Right, meaning);
      const isPrefix = kind(node).startsWith("StartsWith");
      for (const value of strings(node.Right)) faults.push(...valueFaults(meant, value, words, isPrefix));
    }
  }
  return faults;
}

function valueFaults(meant, value, words, isPrefix = false) {
  if (meant?.column === "Name") return words.isSpan(value, isPrefix) ? [] : [`no span is named ${value}`];
  const values = words.attributes.get(meant?.key);
  return values && !values.has(value) ? [`${meant.key} is never ${value}`] : [];
}

/** The column or key whose value an expression has, through tostring, tolower, iff and similar functions. */
function meaningOf(node, meaning) {
  if (node === null || node === undefined || is(node, "StringLiteralExpression")) return undefined;
  if (is(node, "ElementExpression")) {
    const key = keyOf(node);
    return key === undefined ? undefined : { key };
  }
  if (is(node, "NameReference")) return meaning.get(content(node));
  if (is(node, "FunctionCallExpression") && /^(to\w+|trim)$/.test(content(node.Name))) {
    let meant;
    walk(node.ArgumentList, (inner) => { meant ??= inner === node ? undefined : meaningOf(inner, meaning); });
    return meant;
  }
  return undefined;
}

function keyOf(element) {
  if (!BAGS.includes(content(element.Expression))) return undefined;
  return strings(element.Selector)[0];
}

function strings(node) {
  const values = [];
  walk(node, (inner) => { if (is(inner, "StringLiteralExpression")) values.push(inner.LiteralValue); });
  return values;
}

const kind = (node) => System.Enum.toString(Syntax.SyntaxKind, node.Kind);
const is = (node, name) => node !== null && node !== undefined && node.Kind !== undefined && kind(node) === name;
const content = (node) => node.toString().trim();

function walk(node, visit) {
  if (node === null || node === undefined) return;
  visit(node);
  for (let index = 0; index < node.ChildCount; index += 1) walk(node.GetChild(index), visit);
}
