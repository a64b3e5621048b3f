"""Converts the Grafana dashboard to Grafana's own types and back: fields that they lack are lost and reported.

The types are those of Grafana's Foundation SDK 11.6, including panels and queries of the data sources.
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


# What Grafana's data source for Prometheus reads of an annotation (its `PrometheusAnnotation`); the SDK has no type for it.
OF_PROMETHEUS = {"titleFormat", "tagKeys"}


def lost(told, kept, path="dashboard"):
    """The paths of values that the conversion changed."""
    if isinstance(told, dict) and isinstance(kept, dict):
        for name, value in told.items():
            if name in OF_PROMETHEUS and path.startswith("dashboard.annotations."):
                continue
            yield from lost(value, kept[name], f"{path}.{name}") if name in kept else [f"{path}.{name}: no such field"]
    elif isinstance(told, list) and isinstance(kept, list) and len(told) == len(kept):
        for index, pair in enumerate(zip(told, kept)):
            yield from lost(*pair, f"{path}[{index}]")
    elif told != kept:
        yield f"{path}: {told!r} became {kept!r}"


def layout(panels):
    """Panels that overlap, share an id, or have no title or description."""
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield f"{panel['title']} is wider than the page"
        for cell in (
            (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
        ):
            if taken.setdefault(cell, panel["title"]) != panel["title"]:
                yield f"{panel['title']} lies on {taken[cell]}"
                break
    numbers = [panel["id"] for panel in panels]
    yield from (f"number {number} is there twice" for number in set(numbers) if numbers.count(number) > 1)


def sources(dashboard):
    """Every query uses a data source that the viewer can choose."""
    names = {
        variable["name"]: variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"
    }
    for panel in dashboard["panels"]:
        for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])] if "targets" in panel else []:
            if names.get(source["uid"].strip("${}")) != source["type"]:
                yield f"{panel['title']} asks {source}"
            if source["type"] != panel["datasource"]["type"]:
                yield f"{panel['title']} has a query of {source['type']}"


def links(dashboard, runbook):
    """The links that lead to no section of the runbook."""
    sections = {line[3:].strip().lower().replace(" ", "-") for line in runbook.splitlines() if line.startswith("## ")}
    panels = [link for panel in dashboard["panels"] for link in panel.get("links", [])]
    if not panels or not dashboard["links"]:
        yield "there is no link to the runbook"
    for link in [*dashboard["links"], *panels]:
        address, _, section = link["url"].partition("#")
        if address != "${runbook}" or (section and section not in sections):
            yield f"{link['title']} leads to {link['url']}"


def units(dashboard):
    """Panels of counts that can show a part of one."""
    for panel in dashboard["panels"]:
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if panel["type"] in ("stat", "timeseries") and "unit" not in defaults:
            yield f"{panel['title']} has no unit"
        if defaults.get("unit") == "short" and defaults.get("decimals") != 0:
            yield f"{panel['title']} shows parts of what is counted"


def main(root):
    """Runs all checks."""
    register_default_plugins()
    told = json.loads((Path(root) / "infra" / "monitoring" / "grafana-dashboard.json").read_text())
    checks = {
        "the dashboard is made of Grafana's own types": lambda: lost(
            told, json.loads(JSONEncoder().encode(Dashboard.from_json(told)))
        ),
        "the dashboard's panels have a place each": lambda: layout(told["panels"]),
        "the dashboard asks the data sources that are chosen": lambda: sources(told),
        "the dashboard's links lead to the runbook": lambda: links(told, (Path(root) / "docs" / "runbook.md").read_text()),
        "the dashboard has a unit for each panel, and whole numbers where things are counted": lambda: units(told),
    }
    faults = 0
    for what, find in checks.items():
        try:
            found = list(find())
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            found = [f"{type(error).__name__}: {error}"]
        faults += len(found)
        print("\n".join(f"FAIL queries: {what} — {fault}" for fault in found) or f"ok   queries: {what}")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main(sys.argv[1])
