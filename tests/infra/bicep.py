"""Reads Bicep files like the compiler: syntax, names, and the types of expressions.

The Bicep compiler is in no registry that these checks use, and says nothing of what Azure's types leave open, such as
values of an enumeration. So this is our own reading of the language, of as much of it as infra/ uses. Anything it does not know is an error.
"""

import json
from pathlib import Path

import tree_sitter
import tree_sitter_bicep

from kinds import ANY, BOOL, FUNCTIONS, INT, NULL, PRIMITIVES, STRING, cases, declared, literal, named, of_json, record, text, union

LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())

class Fault(Exception):
    pass


class Property:
    def __init__(self, name, node):
        self.name, self.node = name, node


def properties(node):
    """The members of an object literal; a name with an interpolation is None."""
    found = []
    for one in node.named_children:
        if one.type == "object_property":
            key, value = named(one)[0], named(one)[-1]
            found.append(Property(literal(key) if key.type == "string" else text(key), value))
    return found


class Declaration:
    """A parameter, variable, resource, module or output."""

    def __init__(self, file, kind, node, decorators):
        self.file, self.kind, self.node = file, kind, node
        children = named(node)
        self.name = text(children[0])
        self.decorators = decorators
        self.is_existing = any(text(child) == "existing" for child in node.children)
        rest = children[1:]
        self.declared = self.type = self.value = self.target = None
        if rest and rest[0].type == "type":
            self.type = rest.pop(0)
            self.declared = text(self.type)
        if kind in ("resource", "module"):
            self.target = literal(rest.pop(0))
        self.value = rest[-1] if rest else None
        self.is_used = False

    @property
    def line(self):
        return self.node.start_point[0] + 1

    def body(self):
        """The object of a resource or module, below its loop and its condition."""
        return peel(self.value)

    def member(self, name):
        return next((one.node for one in properties(self.body()) if one.name == name), None)


def peel(node):
    while node.type in ("for_statement", "if_statement"):
        node = node.child_by_field_name("body") or named(node)[-1]
    return node


def loops(node):
    """The loops around the object of a declaration."""
    found = []
    while node.type in ("for_statement", "if_statement"):
        if node.type == "for_statement":
            found.append(node)
        node = node.child_by_field_name("body") or named(node)[-1]
    return found


class File:
    def __init__(self, path, root, definitions):
        self.path, self.root, self.definitions = path, root, definitions
        self.name = str(path.relative_to(root))
        self.source = path.read_bytes()
        self.faults = []
        tree = tree_sitter.Parser(LANGUAGE).parse(self.source).root_node
        self.target_scope = "resourceGroup"
        self.declarations, self.modules, self._cache = {}, {}, {}
        self.outputs = {}
        self._syntax(tree)
        if not self.faults:
            self._declare(tree)

    def fault(self, node, message):
        line = node.start_point[0] + 1 if hasattr(node, "start_point") else node
        told = f"{self.name}:{line}: {message}"
        if told not in self.faults:
            self.faults.append(told)

    def _syntax(self, node):
        if node.type == "ERROR" or node.is_missing:
            self.fault(node, f"syntax error at {text(node)[:40]!r}")
        for child in node.children:
            self._syntax(child)

    def _declare(self, tree):
        kinds = {"parameter_declaration": "param", "variable_declaration": "var", "resource_declaration": "resource",
                 "module_declaration": "module", "output_declaration": "output"}
        pending = {}
        for node in tree.named_children:
            if node.type == "decorators":
                for call in named(node):
                    call = named(call)[0]
                    arguments = call.child_by_field_name("arguments")
                    pending[text(call.child_by_field_name("function"))] = named(arguments) if arguments else []
            elif node.type == "target_scope_assignment":
                self.target_scope = literal(named(node)[0])
            elif node.type in kinds:
                one = Declaration(self, kinds[node.type], node, pending)
                pending = {}
                table = self.outputs if one.kind == "output" else self.declarations
                if one.name in table:
                    self.fault(node, f"{one.name} is declared twice")
                table[one.name] = one
            elif node.type != "comment":
                self.fault(node, f"{node.type} is not among what this check knows")

    # --- types -----------------------------------------------------------------------------------------------

    def type_of(self, declaration):
        """The type of a reference to a declaration."""
        if declaration.kind in ("resource", "module"):
            one = {"k": declaration.kind, "d": declaration}
            return {"k": "array", "e": one} if loops(declaration.value) else one
        if declaration.name not in self._cache:
            self._cache[declaration.name] = ANY
            self._cache[declaration.name] = self._declared_type(declaration)
        return self._cache[declaration.name]

    def _declared_type(self, declaration):
        if declaration.kind == "var":
            return self.infer(declaration.value, {})
        kind = declared(declaration.type)
        if kind is None:
            self.fault(declaration.node, f"the type {declaration.declared} is not among what this check knows")
            return ANY
        if "allowed" in declaration.decorators:
            element = self.infer(declaration.decorators["allowed"][0], {})["e"]
            return element
        # A caller's object takes the place of a default as a whole, so a default says nothing about members.
        return kind

    def infer(self, node, env):
        handler = getattr(self, f"_{node.type}", None)
        if handler is None:
            self.fault(node, f"{node.type} is not among what this check knows")
            return ANY
        return handler(node, env)

    def _string(self, node, env):
        for child in node.named_children:
            if child.type == "interpolation":
                inner = self.infer(named(child)[0], env)
                if any(one["k"] in ("resource", "module") for one in cases(inner)):
                    self.fault(child, "a resource or module is no text")
        value = literal(node)
        return STRING if value is None else {"k": "string", "v": value}

    def _number(self, node, env):
        return {"k": "int", "v": int(text(node))}

    def _boolean(self, node, env):
        return {"k": "bool", "v": text(node) == "true"}

    def _null(self, node, env):
        return NULL

    def _parenthesized_expression(self, node, env):
        inner = named(node)
        if not inner:
            # The grammar reads a call in a multi-line list as two elements.
            self.fault(node, "give the call a name with var, outside of the list")
            return ANY
        return self.infer(inner[0], env)

    def _array(self, node, env):
        elements = [self.infer(child, env) for child in named(node)]
        return {"k": "array", "e": union(elements) if elements else ANY, "is_empty": not elements}

    def _object(self, node, env):
        members, extra = {}, None
        for one in properties(node):
            kind = self.infer(one.node, env)
            if one.name is None:
                key = next(child for child in node.named_children if child.type == "object_property" and named(child)[-1] == one.node)
                self.infer(named(key)[0], env)
                extra = kind
            elif one.name in members:
                self.fault(one.node, f"{one.name} is given twice")
            else:
                members[one.name] = kind
        return {"k": "object", "m": members, "extra": extra}

    def _for_statement(self, node, env):
        inner, iterated = self.loop(node, env)
        body = node.child_by_field_name("body") or named(node)[-1]
        return {"k": "array", "e": self.infer(body, inner)}

    def loop(self, node, env):
        """The names that a loop declares."""
        children = named(node)
        head, iterated = children[0], children[1]
        kind = self.infer(iterated, env)
        element = ANY
        for one in cases(kind):
            if one["k"] == "array":
                element = one["e"] if element is ANY else union([element, one["e"]])
            elif one["k"] not in ("any", "schema"):
                self.fault(iterated, f"a loop goes over an array, not over {one['k']}")
        if element["k"] == "union" and any(one is ANY for one in element["of"]):
            element = ANY
        inner = dict(env)
        if head.type == "for_loop_parameters":
            first, second = named(head)
            inner[text(first)], inner[text(second)] = element, INT
        else:
            inner[text(head)] = element
        return inner, kind

    def _if_statement(self, node, env):
        self.infer(named(node)[0], env)
        return self.infer(named(node)[-1], env)

    def _ternary_expression(self, node, env):
        condition, first = node.child_by_field_name("condition"), node.child_by_field_name("consequence")
        self.infer(condition, env)
        # The compiler warns, and a warning is a failure.
        if condition.type == "call_expression" and text(condition.child_by_field_name("function")) == "contains":
            owner, key = (text(one) for one in named(condition.child_by_field_name("arguments")))
            if text(first) in (f"{owner}[{key}]", f"{owner}.{key.strip(chr(39))}"):
                self.fault(node, f"use the safe access {owner}[?{key}]")
        return union([self.infer(node.child_by_field_name(part), env) for part in ("consequence", "alternative")])

    def _binary_expression(self, node, env):
        left, right = (self.infer(node.child_by_field_name(side), env) for side in ("left", "right"))
        operator = next(text(child) for child in node.children if not child.is_named)
        if operator == "??":
            return union([left, right])
        return INT if operator in "+-*/%" else BOOL

    def _unary_expression(self, node, env):
        self.infer(node.child_by_field_name("argument"), env)
        return BOOL if text(node).startswith("!") else INT

    def _identifier(self, node, env):
        name = text(node)
        if name in env:
            return env[name]
        declaration = self.declarations.get(name)
        if declaration is None:
            self.fault(node, f"{name} is not declared")
            return ANY
        declaration.is_used = True
        return self.type_of(declaration)

    def _member_expression(self, node, env):
        owner = node.child_by_field_name("object")
        name = text(node.child_by_field_name("property"))
        is_safe = any(text(child) == ".?" for child in node.children)

        def access(kind):
            if not is_safe and any(name in one.get("optional", ()) for one in cases(kind)):
                self.fault(node, f"{name} may be absent: read it with .?{name}")
            return union([self.member(one, name, node) for one in cases(kind)])

        return self._after_condition(owner, env, access) or access(self.infer(owner, env))

    def _after_condition(self, node, env, access):
        """The grammar reads `a ? b : c.d` as `(a ? b : c).d`; the language does not."""
        if node.type != "ternary_expression":
            return None
        self.infer(node.child_by_field_name("condition"), env)
        last = node.child_by_field_name("alternative")
        alternative = self._after_condition(last, env, access) or access(self.infer(last, env))
        return union([self.infer(node.child_by_field_name("consequence"), env), alternative])

    def member(self, owner, name, node):
        kind = owner["k"]
        if kind == "any":
            return ANY
        if kind == "object":
            if name in owner["m"]:
                return owner["m"][name]
            if owner["extra"] is not None:
                return owner["extra"]
            # The empty object of the other branch of a condition.
            self.fault(node, f"{name} is no member of {', '.join(sorted(owner['m'])) or 'an empty object'}")
            return ANY
        if kind == "resource":
            return self.definitions.read(self, owner["d"], name, node)
        if kind == "module":
            if name not in ("outputs", "name"):
                self.fault(node, f"a module has outputs and a name, no {name}")
                return ANY
            return STRING if name == "name" else {"k": "outputs", "d": owner["d"]}
        if kind == "outputs":
            callee = self.modules.get(owner["d"].name)
            if callee is None:
                return ANY
            if name not in callee.outputs:
                self.fault(node, f"{owner['d'].target} has no output {name}, but {', '.join(sorted(callee.outputs)) or 'none'}")
                return ANY
            return declared(callee.outputs[name].type) or ANY
        if kind == "schema":
            return self.definitions.step(self, owner["s"], name, node)
        self.fault(node, f"{name} is asked of a value that is {kind}")
        return ANY

    def _subscript_expression(self, node, env):
        owner = node.child_by_field_name("object")
        index = self.infer(node.child_by_field_name("index"), env)
        access = lambda kind: self.subscript(kind, index, node)
        return self._after_condition(owner, env, access) or access(self.infer(owner, env))

    def subscript(self, owner, index, node):
        found = []
        for one in cases(owner):
            if one["k"] == "array":
                found.append(one["e"])
            elif one["k"] == "schema":
                found.append(self.definitions.element(one["s"]))
            elif one["k"] == "object" and "v" in index:
                found.append(self.member(one, index["v"], node))
            elif one["k"] == "object":
                found.append(union([*one["m"].values(), *([one["extra"]] if one["extra"] else [])]) if one["m"] or one["extra"] else ANY)
            else:
                found.append(ANY)
        return union(found)

    def _call_expression(self, node, env):
        name = text(node.child_by_field_name("function"))
        arguments = named(node.child_by_field_name("arguments"))
        kinds = [self.infer(one, env) for one in arguments]
        if name == "loadJsonContent" or name == "loadTextContent":
            path = self.path.parent / literal(arguments[0])
            if not path.is_file():
                self.fault(node, f"there is no file {literal(arguments[0])}")
                return ANY
            return of_json(json.loads(path.read_text())) if name == "loadJsonContent" else STRING
        if name == "items":
            owner = kinds[0]
            values = [*owner.get("m", {}).values(), *([owner["extra"]] if owner.get("extra") else [])]
            return {"k": "array", "e": record(key=STRING, value=union(values) if values else ANY)}
        if name == "union" and all(one["k"] in ("array", "any") for kind in kinds for one in cases(kind)):
            return {"k": "array", "e": union([one.get("e", ANY) for kind in kinds for one in cases(kind)])}
        if name == "union":
            members, extra = {}, None
            for kind in kinds:
                for one in cases(kind):
                    members.update(one.get("m", {}))
                    extra = extra or one.get("extra")
            return {"k": "object", "m": members, "extra": extra}
        if name == "concat":
            return {"k": "array", "e": union([one.get("e", ANY) for one in kinds])}
        if name in ("last", "first"):
            return union([one.get("e", ANY) for one in cases(kinds[0])])
        if name not in FUNCTIONS:
            self.fault(node, f"the function {name} is not among what this check knows")
            return ANY
        result, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            self.fault(node, f"{name} takes {least} to {most} arguments, not {len(arguments)}")
        return result


def load(path, root, definitions, loaded=None):
    """A file and all files that it uses, each once."""
    loaded = {} if loaded is None else loaded
    path = path.resolve()
    if path in loaded:
        return loaded
    file = loaded[path] = File(path, root, definitions)
    for declaration in file.declarations.values():
        if declaration.kind == "module":
            target = (path.parent / declaration.target).resolve()
            if not target.is_file():
                file.fault(declaration.node, f"there is no module {declaration.target}")
                continue
            load(target, root, definitions, loaded)
            file.modules[declaration.name] = loaded[target]
    return loaded


def bicep_files(root):
    return sorted(Path(root).rglob("*.bicep"))
