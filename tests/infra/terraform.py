"""Checks infra/terraform: format, validity against schemas rebuilt from @cdktn/provider-azurerm and
cdktn-provider-azapi, its tests, and the bodies that azapi would send against Azure's published definitions.

    terraform.py REPOSITORY DEFINITIONS.JSON PLUGINS

PLUGINS has the providers that provider.py emulates. The real azurerm could still fail: its own checks of values and
Azure's responses are not covered.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import kinds
from definitions import Definitions

OURS = "against schemas rebuilt from @cdktn/provider-azurerm and cdktn-provider-azapi"


def terraform(folder, plugins, *arguments):
    with tempfile.NamedTemporaryFile("w", suffix=".tfrc") as settings:
        overrides = "\n".join(f'    "{name}" = "{plugins}"' for name in ("hashicorp/azurerm", "azure/azapi"))
        settings.write(f"provider_installation {{\n  dev_overrides {{\n{overrides}\n  }}\n  direct {{}}\n}}\ndisable_checkpoint = true\n")
        settings.flush()
        env = {**os.environ, "TF_CLI_CONFIG_FILE": settings.name, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        return subprocess.run(["terraform", *arguments], cwd=folder, env=env, text=True, capture_output=True, timeout=300)


def formatted(folder, plugins):
    done = terraform(folder, plugins, "fmt", "-check", "-recursive", "-no-color")
    return [] if done.returncode == 0 else [f"terraform fmt changes {' '.join(done.stdout.split())}"]


def valid(folder, plugins):
    done = terraform(folder, plugins, "validate", "-json")
    found = json.loads(done.stdout)
    return [f"{one.get('range', {}).get('filename', '')}: {one['summary']}: {one.get('detail', '')}" for one in found["diagnostics"] if one["severity"] == "error"]


def tested(folder, plugins):
    """The faults of the tests, and the plans."""
    done = terraform(folder, plugins, "test", "-json", "-verbose")
    faults, plans, is_passed = [], [], False
    for line in done.stdout.splitlines():
        one = json.loads(line)
        if one["type"] == "diagnostic" and one["diagnostic"]["severity"] == "error":
            faults.append(f"{one.get('@testrun', '')}: {one['diagnostic']['summary']}: {one['diagnostic'].get('detail', '')}")
        elif one["type"] == "test_plan":
            plans.append(one["test_plan"])
        elif one["type"] == "test_summary":
            is_passed = one["test_summary"]["status"] == "pass" and one["test_summary"]["passed"] > 0
    if not is_passed and not faults:
        faults.append(done.stderr or "no test has passed")
    return faults, plans


def kind_of(value, unknown):
    """The type of a planned value; a value known only after apply can be anything."""
    if unknown is True:
        return kinds.ANY
    if isinstance(value, dict) or isinstance(unknown, dict):
        value, unknown = value or {}, unknown or {}
        return kinds.record(**{name: kind_of(value.get(name), unknown.get(name)) for name in {**value, **unknown}})
    if isinstance(value, list):
        pairs = [kind_of(one, unknown[i] if isinstance(unknown, list) and i < len(unknown) else None) for i, one in enumerate(value)]
        return {"k": "array", "e": kinds.union(pairs) if pairs else kinds.ANY}
    return kinds.of_json(value)


class Plan:
    """Collects faults like a Bicep file."""

    def __init__(self):
        self.faults = set()

    def fault(self, address, message):
        self.faults.add(f"{address}: {message}")


def bodies(plans, definitions):
    told, count = Plan(), 0
    for change in (one for plan in plans for one in plan.get("resource_changes", []) if one["type"] == "azapi_resource"):
        after, unknown = change["change"]["after"], change["change"].get("after_unknown", {})
        if change["change"]["actions"] != ["create"]:
            # The end of a test that has applied, with values that the mock provider has made up.
            continue
        found = definitions.types.get(after["type"].lower())
        if found is None:
            told.fault(change["address"], f"no definition of {after['type']} is published")
            continue
        count += 1
        kind = kind_of(after.get("body"), unknown.get("body") if after.get("body") else None)
        members = kind["m"] if kind["k"] == "object" else {}
        for name in ("location", "tags"):
            if after.get(name) is not None:
                members[name] = kinds.of_json(after[name])
        members = {name: one for name, one in members.items() if one["k"] != "null"}
        definitions.conform(told, kinds.record(**members), {"class": found["write"]}, "body", {}, change["address"], is_root=True)
    if not count:
        told.fault("infra/terraform", "no test plans an azapi_resource")
    return sorted(told.faults)


def check(repository, definitions, plugins, with_tests=True):
    """The name and the faults of each check."""
    with tempfile.TemporaryDirectory() as scratch:
        # terraform writes next to its files, so it runs on a copy of the repository.
        infra = Path(scratch) / "infra"
        shutil.copytree(Path(repository) / "infra", infra)
        folder = infra / "terraform"
        yield "infra/terraform is formatted", formatted(folder, plugins)
        faults = valid(folder, plugins)
        yield f"infra/terraform is valid {OURS}", faults
        if with_tests and not faults:
            faults, plans = tested(folder, plugins)
            yield f"terraform test passes {OURS}", faults
            yield "what azapi would send fits Azure's published definitions", bodies(plans, Definitions(Path(definitions)))


def main():
    failed = False
    for what, faults in check(*sys.argv[1:4]):
        for fault in faults:
            failed = True
            print(f"FAIL terraform: {what} — {' '.join(fault.split())}")
        if not faults:
            print(f"ok   terraform: {what}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
