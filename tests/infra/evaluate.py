"""Evaluates expressions of Bicep files as Resource Manager does, of as much of the language as conditions use."""

from kinds import cases, literal, named, text


class Refused(Exception):
    """The deployment ends by fail()."""


class Unknown(Exception):
    """Not known at the start of the deployment, or not among what this evaluation knows."""


def equal(left, right):
    """Resource Manager compares text without regard to case."""
    return left.lower() == right.lower() if isinstance(left, str) and isinstance(right, str) else left == right


def no_doubles(*lists):
    return list(dict.fromkeys(one for each in lists for one in each))


FUNCTIONS = {
    "empty": lambda value: not value,
    "contains": lambda where, what: any(equal(one, what) for one in where) if isinstance(where, list) else what in where,
    "split": lambda value, by: value.split(by),
    "replace": lambda value, old, new: value.replace(old, new),
    "toLower": str.lower,
    "startsWith": lambda value, start: value.lower().startswith(start.lower()),
    "join": lambda values, by: by.join(values),
    "union": no_doubles,
    "last": lambda values: values[-1],
    "length": len,
}


def evaluate(file, node, values):
    """The value of an expression, with values for parameters and for names that are known otherwise."""
    again = lambda one: evaluate(file, one, values)
    if text(node) in values:
        return values[text(node)]
    kind = node.type
    if kind == "parenthesized_expression":
        return again(named(node)[0])
    if kind == "string" and literal(node) is not None:
        return literal(node)
    if kind == "number":
        return int(text(node))
    if kind == "boolean":
        return text(node) == "true"
    if kind == "null":
        return None
    if kind == "array":
        return [again(one) for one in named(node)]
    if kind == "object" and not named(node):
        return {}
    if kind == "identifier":
        declaration = file.declarations.get(text(node))
        if declaration is None or declaration.kind not in ("var", "param") or declaration.value is None:
            raise Unknown(text(node))
        return again(declaration.value)
    if kind == "ternary_expression":
        branch = "consequence" if again(node.child_by_field_name("condition")) else "alternative"
        return again(node.child_by_field_name(branch))
    if kind == "unary_expression":
        return not again(node.child_by_field_name("argument"))
    if kind == "binary_expression":
        return _binary(node, again)
    if kind == "member_expression":
        owner = again(node.child_by_field_name("object"))
        name = text(node.child_by_field_name("property"))
        if name not in owner and not any(text(child) == ".?" for child in node.children):
            raise Refused(f"property {name} doesn't exist")
        return owner.get(name)
    if kind == "call_expression":
        name = text(node.child_by_field_name("function"))
        arguments = named(node.child_by_field_name("arguments"))
        if name == "fail":
            raise Refused(literal(arguments[0]))
        if name in FUNCTIONS:
            return FUNCTIONS[name](*[again(one) for one in arguments])
    raise Unknown(text(node))


def _binary(node, again):
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    operator = next(text(child) for child in node.children if not child.is_named)
    if operator == "&&":
        return again(left) and again(right)
    if operator == "||":
        return again(left) or again(right)
    if operator == "??":
        value = again(left)
        return again(right) if value is None else value
    if operator == "==":
        return equal(again(left), again(right))
    if operator == "!=":
        return not equal(again(left), again(right))
    if operator == ">":
        return again(left) > again(right)
    raise Unknown(operator)


def allowed(file, parameter):
    """The values that a parameter may have."""
    return [one["v"] for one in cases(file.type_of(file.declarations[parameter])) if "v" in one]
