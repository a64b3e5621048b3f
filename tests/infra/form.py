"""The form that the Bicep compiler's own formatter gives, as far as a line shows it; tests/infra/compiler runs that
formatter where the compiler is."""

import re

WIDTH = 120


def without_strings(line):
    """The line with its strings emptied, and without a comment."""
    return re.sub(r"'(?:\\.|[^'\\])*'", "''", line).split("//")[0]


def faults_of(line):
    code = without_strings(line)
    # A loop whose body has lines of its own begins on a line of its own, and so do the branches of a condition.
    if re.search(r"[=:] \[for .*\{\s*$", code):
        yield "the loop begins on a line of its own"
    if re.search(r"\S \? [\[{(]\s*$", code):
        yield "the branches of the condition begin on lines of their own"
    if re.match(r"\s*\} : ", code):
        yield "the other branch of the condition begins on a line of its own"
    # What has no place to break stays: declarations, and calls with one string, such as descriptions.
    if len(line) > WIDTH and not re.match(r"(resource|module) ", code):
        if re.search(r"\w\([^()]*,", code):
            yield f"the arguments of a call that ends after {WIDTH} characters have a line each"
        elif re.search(r"\S \? ", code):
            yield f"the branches of a condition that ends after {WIDTH} characters have a line each"


def form(infra):
    """the files have the form of the compiler's formatter"""
    return [f"{file.name}:{number}: {fault}" for file in infra.by_name.values()
            for number, line in enumerate(file.source.decode().splitlines(), 1) for fault in faults_of(line)]
