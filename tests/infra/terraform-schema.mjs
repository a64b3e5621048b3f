// Rebuilds the schema of a Terraform provider from the typed bindings that are generated from it, because package
// registries do not have the providers themselves. The rebuilt schema has names, types, required and computed members;
// it lacks which lists are sets, and the provider's own checks of values.
//
//   node terraform-schema.mjs PREFIX LIB CONFIGURATION > schema.json
//
// PREFIX is azurerm or azapi, LIB its folder of bindings. Only the types that the files in CONFIGURATION use are rebuilt.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [prefix, lib, configuration] = process.argv.slice(2);
const used = readdirSync(configuration).filter((file) => file.endsWith(".tf")).map((file) => readFileSync(join(configuration, file), "utf8")).join("\n");
const snake = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();

/** The Terraform type of a TypeScript type; null for a nested block. */
function attribute(type) {
  const plain = type.replace(/\| cdktn\.IResolvable/g, "").replace(/\s+/g, " ").trim();
  const known = { string: "string", number: "number", boolean: "bool", any: "dynamic", "cdktn.IResolvable": "bool",
    "string[]": ["list", "string"], "number[]": ["list", "number"], "cdktn.StringMap": ["map", "string"], "cdktn.AnyMap": "dynamic", "cdktn.BooleanMap": ["map", "bool"] };
  if (plain in known) return known[plain];
  const map = plain.match(/^\{ \[key: string\]: \(?(\w+)/);
  if (map) return map[1] === "any" || plain.includes("string[]") ? "dynamic" : ["map", { string: "string", number: "number", boolean: "bool" }[map[1]] ?? "string"];
  return /\[\]\[\]|\{/.test(plain) ? "dynamic" : null;
}

function parse(file) {
  const source = readFileSync(file, "utf8");
  const interfaces = {};
  for (const [, name, body] of source.matchAll(/export interface (\w+)(?: extends [\w.]+)? \{\n([\s\S]*?)\n\}/g)) {
    interfaces[name] = [];
    for (const [, comment, member, optional, type] of body.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?readonly (\w+)(\?)?: (\{[\s\S]*?\}(?: \| cdktn\.IResolvable)?|[^;{]+);/g))
      interfaces[name].push({ name: comment?.match(/#(\w+) \w+#\w+\}/)?.[1] ?? snake(member), member, required: !optional, type });
  }
  const getters = {};
  for (const [, name, body] of source.matchAll(/export declare class (\w+) extends [\w.]+ \{\n([\s\S]*?)\n\}/g))
    getters[name] = Object.fromEntries([...body.matchAll(/\n {4}get (\w+)\(\): (\{[^}]*\}|[^;{]+);/g)].map((m) => [m[1], m[2].trim()]));
  return { source, interfaces, getters };
}

function block(found, config, className) {
  const made = { attributes: {}, blocks: {} };
  const seen = new Set(["internalValue", "fqn", "friendlyUniqueId", "terraformResourceType", "connection", "count"]);
  for (const { name, member, required, type } of found.interfaces[config] ?? []) {
    seen.add(member);
    const kind = attribute(type);
    if (kind) made.attributes[name] = { type: kind, required, optional: !required, computed: !required };
    else {
      const inner = type.replace(/\| cdktn\.IResolvable|\[\]/g, "").trim();
      if (found.interfaces[inner]) made.blocks[name] = { min: required ? 1 : 0, max: type.includes("[]") ? 0 : 1, block: block(found, inner, `${inner}OutputReference`) };
    }
  }
  for (const [getter, type] of Object.entries(found.getters[className] ?? {})) {
    if (seen.has(getter) || getter.endsWith("Input")) continue;
    let kind = attribute(type);
    const list = type.match(/^(\w+)List$/);
    if (!kind && list) {
      const members = Object.entries(found.getters[`${list[1]}OutputReference`] ?? {}).filter(([name]) => name !== "internalValue" && !name.endsWith("Input"));
      kind = ["list", ["object", Object.fromEntries(members.map(([name, one]) => [snake(name), attribute(one) ?? "string"]))]];
    }
    if (kind) made.attributes[snake(getter)] ??= { type: kind, computed: true };
  }
  return made;
}

const schema = { provider: null, resources: {}, data_sources: {} };
for (const folder of readdirSync(lib)) {
  const file = join(lib, folder, "index.d.ts");
  if (!existsSync(file)) continue;
  const found = parse(file);
  if (folder === "provider") {
    const config = Object.keys(found.interfaces).find((name) => name.endsWith("ProviderConfig"));
    schema.provider = block(found, config, "");
    for (const one of Object.values(schema.provider.attributes)) one.computed = false;
    continue;
  }
  const declared = found.source.match(/export declare class (\w+) extends cdktn\.Terraform(Resource|DataSource)/);
  const type = found.source.match(/tfResourceType = "(\w+)"/)?.[1];
  if (!declared || !type?.startsWith(prefix) || !used.includes(`"${type}"`)) continue;
  (declared[2] === "Resource" ? schema.resources : schema.data_sources)[type] = block(found, `${declared[1]}Config`, declared[1]);
}
process.stdout.write(JSON.stringify(schema));
