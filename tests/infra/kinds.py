"""The kinds of values in Bicep files: of literals, of declared types, and of the functions of the language."""

ANY = {"k": "any"}
STRING = {"k": "string"}
INT = {"k": "int"}
BOOL = {"k": "bool"}
NULL = {"k": "null"}
STRINGS = {"k": "array", "e": STRING}
PRIMITIVES = {"string": STRING, "int": INT, "bool": BOOL, "array": {"k": "array", "e": ANY}, "object": {"k": "object", "m": {}, "extra": ANY}}


def record(**members):
    return {"k": "object", "m": members, "extra": None}


SUBSCRIPTION = record(id=STRING, subscriptionId=STRING, tenantId=STRING, displayName=STRING)
GROUP = record(id=STRING, name=STRING, location=STRING, tags=ANY, type=STRING)
ENVIRONMENT = record(
    name=STRING, resourceManager=STRING, portal=STRING, authentication=ANY,
    suffixes=record(storage=STRING, keyvaultDns=STRING, sqlServerHostname=STRING, acrLoginServer=STRING),
)
# Functions of the language: the type they return, with the minimum and maximum number of arguments.
FUNCTIONS = {
    "empty": (BOOL, 1, 1), "contains": (BOOL, 2, 2), "startsWith": (BOOL, 2, 2), "join": (STRING, 2, 2), "replace": (STRING, 3, 3),
    "guid": (STRING, 1, 9), "uniqueString": (STRING, 1, 9), "toLower": (STRING, 1, 1), "split": (STRINGS, 2, 2),
    "fail": (ANY, 1, 1), "int": (INT, 1, 1), "cidrSubnet": (STRING, 3, 3),
    "string": (STRING, 1, 1), "length": (INT, 1, 1), "take": (ANY, 2, 2), "range": ({"k": "array", "e": INT}, 2, 2),
    "resourceId": (STRING, 2, 9), "subscriptionResourceId": (STRING, 2, 9), "tenantResourceId": (STRING, 2, 9),
    "loadTextContent": (STRING, 1, 1), "environment": (ENVIRONMENT, 0, 0), "deployment": (record(name=STRING, location=STRING), 0, 0),
    "subscription": (SUBSCRIPTION, 0, 1), "resourceGroup": (GROUP, 0, 2), "managementGroup": (record(id=STRING, name=STRING), 0, 1),
}


def text(node):
    return node.text.decode()


def named(node):
    return [child for child in node.named_children if child.type not in ("comment", "diagnostic_comment")]


def literal(node):
    """The text of a string without interpolation, else None."""
    if node.type != "string" or any(child.type == "interpolation" for child in node.named_children):
        return None
    if not node.named_children:
        # The grammar has no node for blanks alone.
        return text(node)[1:-1]
    escapes = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\$": "$", "\\t": "\t"}
    return "".join(escapes.get(text(child), text(child)) for child in node.named_children)


def of_json(value):
    """The type of a value in a JSON file: the value itself."""
    if isinstance(value, dict):
        return record(**{key: of_json(one) for key, one in value.items()})
    if isinstance(value, list):
        return {"k": "array", "e": union([of_json(one) for one in value]) if value else ANY, "known": value}
    kinds = {str: "string", bool: "bool", int: "int", float: "int", type(None): "null"}
    return {"k": kinds[type(value)], "v": value}


def union(types):
    flat = []
    for one in types:
        for each in one["of"] if one["k"] == "union" else [one]:
            if each not in flat:
                flat.append(each)
    return flat[0] if len(flat) == 1 else {"k": "union", "of": flat}


def cases(kind):
    return kind["of"] if kind["k"] == "union" else [kind]


def declared(node):
    """The kind of a written type; None if it is not among what this check knows."""
    children = named(node)
    if node.type == "type":
        return declared(children[0])
    if node.type == "primitive_type":
        return PRIMITIVES.get(text(node))
    if node.type == "string":
        return {"k": "string", "v": literal(node)}
    if node.type in ("parenthesized_type", "parenthesized_expression"):
        return declared(children[0])
    if node.type == "nullable_type":
        inner = declared(children[0])
        return inner and union([inner, NULL])
    if node.type == "union_type":
        parts = [declared(child) for child in children]
        return None if None in parts else union(parts)
    if node.type == "array_type":
        inner = declared(children[0])
        return inner and {"k": "array", "e": inner}
    if node.type == "object":
        members, extra, optional = {}, None, set()
        for one in children:
            parts = named(one)
            kind = declared(parts[-1])
            if kind is None:
                return None
            if len(parts) == 1:
                extra = kind
            else:
                members[text(parts[0])] = kind
                if parts[-1].type == "nullable_type":
                    optional.add(text(parts[0]))
        return {"k": "object", "m": members, "extra": extra, "optional": optional}
    return None
