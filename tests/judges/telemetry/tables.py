"""Reads the tables of docs/telemetry.md: the handler's documented telemetry."""

import os
import re


def page():
    with open(os.path.join(os.environ["APP"], "docs", "telemetry.md"), encoding="utf-8") as file:
        return file.read().splitlines()


def rows(heading):
    """The rows of the first table below a heading."""
    lines = page()
    found = []
    for line in lines[lines.index(heading) + 1 :]:
        if line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
        elif found or line.startswith("#"):
            break
    return found[2:]


def quoted(cell):
    return re.findall(r"`([^`]*)`", cell)


def spans():
    """The kind of each span, and the possible names of its parent."""
    return {quoted(row[0])[0]: (row[1], {name.strip("`") for name in row[2].split(", ")}) for row in rows("### Spans")}


def span_attributes():
    """The attributes of each span."""
    found = {name: set() for name in spans()}
    for attribute, on, _ in rows("### Attributes of spans"):
        for name in quoted(on):
            found[name].update(quoted(attribute))
    return found


def metrics():
    """The kind, unit and attributes of each metric."""
    return {quoted(row[0])[0]: (row[1], quoted(row[2])[0], set(quoted(row[3]))) for row in rows("## Metrics")}


def resource():
    return {name for row in rows("## Resource") for name in quoted(row[0])}
