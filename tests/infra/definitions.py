"""Checks resources against Azure's published type definitions, which definitions.mjs reads."""

import json
from pathlib import Path

from bicep import loops, properties
from kinds import ANY, BOOL, INT, STRING, cases

# Members that the language adds to a resource.
OF_THE_LANGUAGE = {"name", "parent", "scope", "dependsOn"}


class Definitions:
    def __init__(self, path):
        found = json.loads(path.read_text())
        unpublished = json.loads((Path(__file__).parent / "unpublished.json").read_text())
        self.types, self.classes = ({**found[part], **unpublished[part]} for part in ("types", "classes"))

    def resource(self, file, declaration):
        """The definition of a resource's type, or None and a fault."""
        found = self.types.get(declaration.target.lower())
        if found is None:
            kind = declaration.target.split("@")[0].lower()
            versions = [one.split("@")[1] for one in self.types if one.split("@")[0] == kind]
            told = f"; its published version is {', '.join(versions)}" if versions else ""
            file.fault(declaration.node, f"no definition of {declaration.target} is published{told}")
        return found

    def members(self, schema):
        """The members of an object, or None if it has no known ones."""
        if "class" in schema:
            return self.classes[schema["class"]]["members"]
        return schema.get("members")

    # --- what is read ----------------------------------------------------------------------------------------

    def read(self, file, declaration, name, node):
        if name in ("id", "name", "type", "apiVersion"):
            return STRING
        found = self.resource(file, declaration)
        return ANY if found is None else self.step(file, {"class": found["read"]}, name, node)

    def step(self, file, schema, name, node):
        if "dictionary" in schema:
            return self.kind(schema["dictionary"])
        members = self.members(schema)
        if members is None:
            return ANY
        if name in members:
            return self.kind(members[name])
        file.fault(node, f"{name} is no member of {schema.get('class', 'this object').split('#')[-1]}, which has {', '.join(sorted(members))}")
        return ANY

    def kind(self, schema):
        simple = {"string": STRING, "number": INT, "boolean": BOOL, "any": ANY}
        return simple[schema["type"]] if "type" in schema else {"k": "schema", "s": schema}

    def element(self, schema):
        return self.kind(schema["items"]) if "items" in schema else ANY

    # --- what is written -------------------------------------------------------------------------------------

    def check(self, file, declaration):
        """Checks a resource's members against its type."""
        found = self.resource(file, declaration)
        env = {}
        for loop in loops(declaration.value):
            env, _ = file.loop(loop, env)
        body = declaration.body()
        written = {one.name: one for one in properties(body)}
        if "name" not in written:
            file.fault(declaration.node, f"{declaration.name} has no name")
        kind = file.infer(body, env)
        if found is None or declaration.is_existing:
            return
        # One Deploy has no published definition: the type's is that of another extension.
        silenced = {one.name for one in properties(body) if getattr(one.node.parent.prev_named_sibling, "type", "") == "diagnostic_comment"}
        mine = {name: one for name, one in kind["m"].items() if name not in OF_THE_LANGUAGE | silenced}
        nodes = {one.name: one.node for one in properties(body)}
        self.conform(file, {"k": "object", "m": mine, "extra": None}, {"class": found["write"]}, declaration.name, nodes, declaration.node, is_root=True)

    def conform(self, file, kind, schema, path, nodes, node, is_root=False):
        for one in cases(kind):
            self._conform(file, one, schema, path, nodes, node, is_root)

    def _conform(self, file, kind, schema, path, nodes, node, is_root):
        if kind["k"] in ("any", "null", "schema"):
            return
        wrong = lambda wanted: file.fault(node, f"{path} is {kind['k']}, not {wanted}")
        if "type" in schema:
            wanted = {"string": "string", "number": "int", "boolean": "bool"}.get(schema["type"])
            if wanted and kind["k"] != wanted:
                wrong(wanted)
            elif schema.get("values") and "v" in kind and kind["v"] not in schema["values"]:
                file.fault(node, f"{path} is {kind['v']!r}, not one of {', '.join(schema['values'])}")
        elif "items" in schema:
            if kind["k"] != "array":
                return wrong("array")
            self.conform(file, kind["e"], schema["items"], f"{path}[]", {}, node)
        elif "dictionary" in schema:
            if kind["k"] != "object":
                return wrong("object")
            for name, one in kind["m"].items():
                self.conform(file, one, schema["dictionary"], f"{path}.{name}", {}, nodes.get(name, node))
        else:
            self._object(file, kind, schema, path, nodes, node, is_root)

    def _object(self, file, kind, schema, path, nodes, node, is_root):
        if kind["k"] != "object":
            return file.fault(node, f"{path} is {kind['k']}, not object")
        definition = self.classes[schema["class"]] if "class" in schema else schema
        by = definition.get("discriminator")
        if by and definition["variants"]:
            for one in cases(kind["m"].get(by, ANY)):
                if "v" in one and one["v"] not in definition["variants"]:
                    file.fault(nodes.get(by, node), f"{path}.{by} is {one['v']!r}, not one of {', '.join(definition['variants'])}")
                elif "v" in one:
                    definition = self.classes[definition["variants"][one["v"]]]
        members = definition["members"]
        for name, one in kind["m"].items():
            at = nodes.get(name, node)
            if name not in members:
                if not definition.get("open"):
                    file.fault(at, f"{path}.{name} is unknown; there are {', '.join(sorted(members))}")
                continue
            if members[name].get("readOnly"):
                file.fault(at, f"{path}.{name} is read-only")
                continue
            inner = {p.name: p.node for p in properties(at)} if getattr(at, "type", None) == "object" else {}
            self.conform(file, one, members[name], f"{path}.{name}", inner, at)
        if kind["extra"] is None:
            for name, one in members.items():
                is_told = name in kind["m"] or (is_root and name in ("name", "id", "type"))
                if one.get("required") and not one.get("readOnly") and not is_told:
                    file.fault(node, f"{path}.{name} is required")
