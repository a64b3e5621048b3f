// Reads Azure's published type definitions from the mappers of Microsoft's own clients, which are generated from the
// same specifications as Bicep's types. Prints the request and response types of every resource type with a PUT.
//
//   node definitions.mjs NODE_MODULES > definitions.json
//
// {"types": {"microsoft.web/sites@2024-11-01": {"write": "PACKAGE#CLASS", "read": "PACKAGE#CLASS"}},
//  "classes": {"PACKAGE#CLASS": {"members": {…}, "values": …, "discriminator": …, "variants": …}}}
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const types = {};
const classes = {};

/** The resource type in the path of an operation, such as `Microsoft.Web/sites`; null without a type. */
function typeOf(path) {
  if (/^\/subscriptions\/\{[^}]+\}\/resourcegroups\/\{[^}]+\}$/i.test(path)) return "Microsoft.Resources/resourceGroups";
  const at = path.lastIndexOf("/providers/");
  if (at < 0) return null;
  const [provider, ...rest] = path.slice(at + "/providers/".length).split("/");
  const names = rest.filter((_, i) => i % 2 === 0);
  if (names.some((name) => name.startsWith("{")) || rest.length % 2) return null;
  return [provider, ...names].join("/");
}

/** The declared values of members of interfaces: `Known…` enumerations and sealed unions. */
function enumerations(source) {
  const known = {};
  for (const [, name, body] of source.matchAll(/export (?:declare )?enum Known(\w+) \{([\s\S]*?)\n\}/g))
    known[name] = [...body.matchAll(/= "([^"]*)"/g)].map((m) => m[1]);
  for (const [, name, body] of source.matchAll(/export (?:declare )?type (\w+) = ("[^;]*");/g))
    known[name] ??= [...body.matchAll(/"([^"]*)"/g)].map((m) => m[1]);
  const members = {};
  for (const [, name, body] of source.matchAll(/export (?:declare )?interface (\w+)[^{]*\{([\s\S]*?)\n\}/g))
    for (const [, member, type] of body.matchAll(/\n {4}(?:readonly )?(\w+)\??: (\w+)(?:\[\])?;/g))
      if (known[type]?.length) (members[name] ??= {})[member] = known[type];
  return members;
}

const scalar = { Number: "number", Boolean: "boolean", Object: "any", any: "any", Stream: "any" };

async function legacy(name, folder) {
  const read = (file) => readFileSync(join(folder, file), "utf8");
  // The mappers are plain data in a module without imports.
  const mappers = await import("data:text/javascript," + encodeURIComponent(read("models/mappers.js").replace(/\/\/# sourceMapping.*/, "")));
  const known = enumerations(read("models/index.d.ts"));
  const parameters = read("models/parameters.js");
  const bodies = Object.fromEntries([...parameters.matchAll(/export const (\w+) = \{\s*parameterPath: [^\n]*\n\s*mapper: (\w+)Mapper/g)].map((m) => [m[1], m[2]]));
  const versions = Object.fromEntries([...parameters.matchAll(/export const (apiVersion\d*) = \{\s*parameterPath: "apiVersion",\s*mapper: \{\s*defaultValue: "([^"]+)"/g)].map((m) => [m[1], m[2]]));
  const byClass = Object.fromEntries(Object.values(mappers).filter((m) => m?.type?.className).map((m) => [m.type.className, m]));

  const value = (type, values) => {
    if (type.name === "Composite") return { class: declare(type.className) };
    if (type.name === "Sequence") return { items: value(type.element.type, values) };
    if (type.name === "Dictionary") return { dictionary: value(type.value.type) };
    if (type.name === "Enum") return { type: "string", values: type.allowedValues };
    return { type: scalar[type.name] ?? "string", ...(values ? { values } : {}) };
  };

  function declare(className) {
    const id = `${name}#${className}`;
    if (classes[id]) return id;
    const made = (classes[id] = { members: {} });
    const mapper = byClass[className];
    for (const [key, member] of Object.entries(mapper.type.modelProperties ?? {})) {
      // "properties.siteConfig" is one level deeper than the client's member.
      const path = member.serializedName.replaceAll("\\\\.", "\0").replaceAll("\\.", "\0").split(".").map((part) => part.replaceAll("\0", "."));
      let at = made.members;
      for (const part of path.slice(0, -1)) {
        at[part] ??= { members: {} };
        at = at[part].members ??= {};
      }
      at[path.at(-1)] = {
        ...value(member.type, known[className]?.[key]),
        ...(member.required ? { required: true } : {}),
        ...(member.readOnly ? { readOnly: true } : {}),
      };
    }
    if (mapper.type.additionalProperties) made.open = true;
    const by = mapper.type.polymorphicDiscriminator;
    if (by && mappers.discriminators) {
      made.discriminator = by.serializedName;
      made.variants = {};
      const parent = mapper.type.uberParent ?? className;
      for (const [key, variant] of Object.entries(mappers.discriminators))
        if (key.startsWith(`${parent}.`)) made.variants[key.slice(parent.length + 1)] = declare(variant.type.className);
    }
    return id;
  }

  for (const file of readdirSync(join(folder, "operations")).filter((file) => file.endsWith(".js"))) {
    for (const [, path, spec] of read(`operations/${file}`).matchAll(/path: "([^"]+)",\s*httpMethod: "PUT",([\s\S]*?)serializer/g)) {
      const type = typeOf(path);
      const body = bodies[spec.match(/requestBody: Parameters\.(\w+)/)?.[1]];
      const version = versions[spec.match(/Parameters\.(apiVersion\d*)/)?.[1]];
      const answer = spec.match(/20[01]: \{\s*bodyMapper: Mappers\.(\w+)/)?.[1];
      if (!type || !version || !byClass[body]) continue;
      types[`${type}@${version}`.toLowerCase()] = { write: declare(body), read: declare(byClass[answer] ? answer : body) };
    }
  }
}

/** The newer clients have no mappers; their declarations contain the same data for one type. */
function declared(name, file, resource, properties, type, version) {
  const source = readFileSync(file, "utf8");
  const known = {};
  for (const [, key, body] of source.matchAll(/export declare enum Known(\w+) \{([\s\S]*?)\n\}/g))
    known[key] = [...body.matchAll(/= "([^"]*)"/g)].map((m) => m[1]);
  const interfaces = Object.fromEntries([...source.matchAll(/export interface (\w+)[^{]*\{([\s\S]*?)\n\}/g)].map((m) => [m[1], m[2]]));
  const value = (text) => {
    if (text.endsWith("[]")) return { items: value(text.slice(0, -2)) };
    if (text.startsWith("Record<string, ")) return { dictionary: value(text.slice(15, -1)) };
    if (interfaces[text]) return { class: declare(text) };
    if (known[text]?.length) return { type: "string", values: known[text] };
    if (text === "AlertSeverity") return { type: "number" };
    return { type: { string: "string", number: "number", boolean: "boolean" }[text] ?? (text === "Date" ? "string" : "any") };
  };
  function members(key) {
    const all = {};
    for (const [, readOnly, member, optional, text] of interfaces[key].matchAll(/\n {4}(readonly )?(\w+)(\??): ([^;]+);/g))
      all[member] = { ...value(text), ...(optional || readOnly ? {} : { required: true }), ...(readOnly ? { readOnly: true } : {}) };
    return all;
  }
  function declare(key) {
    const id = `${name}#${key}`;
    if (!classes[id]) (classes[id] = { members: {} }).members = members(key);
    return id;
  }
  const inner = members(properties);
  const outer = Object.fromEntries(Object.entries(members(resource)).filter(([key]) => !(key in inner)));
  classes[`${name}#${resource}`] = { members: { ...outer, id: { type: "string", readOnly: true }, name: { type: "string" }, properties: { members: inner } } };
  types[`${type}@${version}`.toLowerCase()] = { write: `${name}#${resource}`, read: `${name}#${resource}` };
}

for (const name of readdirSync(join(modules, "@azure")).filter((name) => name.startsWith("arm-"))) {
  const folder = ["dist/esm", "dist-esm/src"].map((part) => join(modules, "@azure", name, part)).find((folder) => existsSync(join(folder, "models/mappers.js")));
  if (folder) await legacy(name, folder);
}
// Types that the older client has in an older version. For alert rules of the second generation, the published
// definitions are those of 2025-01-01-preview; the members that we use exist unchanged since 2021-08-01, so they also
// apply to the stable version in the Bicep files.
const monitor = join(modules, "arm-monitor-alerts/dist/esm/models");
declared("arm-monitor-alerts", join(monitor, "scheduledQueryRuleApi/models.d.ts"), "ScheduledQueryRuleResource", "ScheduledQueryRuleProperties", "Microsoft.Insights/scheduledQueryRules", "2023-12-01");
declared("arm-monitor-diagnostics", join(monitor, "diagnosticsSettings/models.d.ts"), "DiagnosticSettingsResource", "DiagnosticSettings", "Microsoft.Insights/diagnosticSettings", "2021-05-01-preview");

process.stdout.write(JSON.stringify({ types, classes }));
