"""Copies infra/ with its Bicep files in the older form that checkov's parser knows: the same resources and values.

    simplified.py INFRA TARGET

The parser (pycep) knows neither typed parameters, safe access, and conditions over several lines, nor loops as the
compiler writes them. Lines keep their order, not their numbers.
"""

import re
import shutil
import sys
from pathlib import Path

import tree_sitter
import tree_sitter_bicep

LANGUAGE = tree_sitter.Language(tree_sitter_bicep.language())
NEWER = {"onlyIfNotExists", "secure"}


def edits(node):
    """The parts to replace, as start, end and new text."""
    if node.type == "type" and node.parent.type in ("parameter_declaration", "output_declaration"):
        inner = node.named_children[0].type
        if inner != "primitive_type":
            yield node.start_byte, node.end_byte, b"array" if inner == "array_type" else b"object"
        return
    if node.type == "decorators" and node.next_named_sibling.type == "output_declaration":
        yield node.start_byte, node.end_byte, b""
        return
    if node.type == "decorator" and any(f"@{name}()" == node.text.decode() for name in NEWER):
        yield node.start_byte, node.end_byte, b""
        return
    if node.type == "diagnostic_comment":
        yield node.start_byte, node.end_byte, b""
    if node.type in (".?", "?") and node.parent.type in ("member_expression", "subscript_expression"):
        yield node.start_byte, node.end_byte, b"." if node.type == ".?" else b""
    if node.type == "ternary_expression" and node.parent.type != "ternary_expression":
        yield from one_line(node)
        return
    if node.type in ("for_statement", "array") and node.children and node.children[0].type == "[" and b"for " in node.text[:40].lstrip(b"[\n ")[:4]:
        first, last = node.children[0], node.children[-1]
        start = node.start_byte + re.match(rb"\[\s*", node.text).end()
        yield first.start_byte, start, b"["
        yield node.start_byte + len(node.text[:-1].rstrip()), last.end_byte, b"]"
    if node.type == "call_expression" and text_of(node, "function") == b"fail":
        yield node.start_byte, node.end_byte, b"[]"
        return
    if node.type == "call_expression" and text_of(node, "function") == b"cidrSubnet":
        # A function that the parser does not know, of an address range.
        yield node.start_byte, node.end_byte, node.child_by_field_name("arguments").named_children[0].text
        return
    if node.type == "arguments" and b"\n" in node.text:
        # Arguments follow each other on the line on which the last one ended; a comment between them goes.
        for before, after in zip(node.children, node.children[1:]):
            if after.type == "comment":
                yield after.start_byte, after.end_byte, b""
            yield before.end_byte, after.start_byte, b" "
    for child in node.children:
        yield from edits(child)


def text_of(node, field):
    return node.child_by_field_name(field).text


def one_line(node):
    """A condition with its branches after the `?` and `:`, each where it begins."""
    inner = list(edits_below(node))
    yield from inner
    for child in node.children:
        if child.type in ("?", ":"):
            before = node.text[: child.start_byte - node.start_byte]
            yield node.start_byte + len(before.rstrip()), child.start_byte, b" "
    for child in node.children:
        if child.type == "ternary_expression":
            yield from one_line(child)


def edits_below(node):
    for child in node.children:
        if child.type != "ternary_expression":
            yield from edits(child)


def simplified(source):
    tree = tree_sitter.Parser(LANGUAGE).parse(source).root_node
    for start, end, new in sorted(set(edits(tree)), reverse=True):
        source = source[:start] + new + source[end:]
    return source


def main():
    infra, target = (Path(one) for one in sys.argv[1:3])
    shutil.copytree(infra, target)
    for path in target.rglob("*.bicep"):
        path.write_bytes(simplified(path.read_bytes()))


if __name__ == "__main__":
    main()
