"""The parameters of main.bicep for the next deployment: those of the last one, what is set at the app now, and what is
asked for, in this order. Writes them as a parameter file and prints how they differ from today's.

    parameters.py STATE [NAME=VALUE...] > differences

STATE is a folder with what Azure returned: group.json (az group show), app.json (the site), settings.json (its app
settings) and last.json (the parameters of the last deployment); a missing file means that there is none. The result is
STATE/parameters.json, and STATE/decided has what the script itself needs. Members of objects are merged; null removes one.
"""

import json
import re
import sys
from pathlib import Path

INFRA = Path(__file__).resolve().parent
# Parameters that the app shows, by the setting that carries them.
BY_SETTING = {"mode": "DISKSEAL_MODE", "backupGuard": "DISKSEAL_BACKUP_GUARD", "sweepSchedule": "DISKSEAL_SWEEP_SCHEDULE",
              "subscriptions": "DISKSEAL_SUBSCRIPTIONS", "managementGroup": "DISKSEAL_MANAGEMENT_GROUP"}
# Switches, by the setting that is on or absent.
SWITCHES = {"grants": "DISKSEAL_GRANTS", "revoke": "DISKSEAL_REVOKE"}
SIGNALS = ("traces", "metrics", "logs")
# Tags of our own: one marks the resources, the other is the switch.
OWN_TAGS = ("application", "diskseal")


def declared():
    """The parameters of main.bicep, with the declared type: string, int or bool, else object."""
    source = (INFRA / "main.bicep").read_text()
    return {name: kind or "object" for name, kind in re.findall(r"^param (\w+) (string\b|int\b|bool\b)?", source, re.M)}


def made_by_bicep():
    """The app settings that function.bicep makes."""
    source = (INFRA / "modules" / "function.bicep").read_text()
    block = source[source.index("var settings"):source.index("resource plan")]
    return set(re.findall(r"^\s+([A-Z]\w+):", block, re.M))


def value_of(kind, text):
    """The value of what was typed, by the declared type."""
    if text.startswith("@"):
        text = Path(text[1:]).read_text()
    if kind == "string":
        return text
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text} is neither true nor false")
        return text.lower() == "true"
    return json.loads(text)


def merged(old, new):
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    both = {**old, **new}
    return {name: one for name, one in both.items() if one is not None}


def shown_by(app, settings, group, last):
    """The parameters that Azure shows, with what was changed there since the last deployment."""
    shown = {}
    for name, setting in BY_SETTING.items():
        if setting in settings:
            shown[name] = settings[setting]
    for name, setting in SWITCHES.items():
        shown[name] = settings.get(setting, "off").strip().lower() == "on"
    if "managementGroup" in shown:
        shown["subscriptions"] = ""
    elif "subscriptions" in shown:
        shown["managementGroup"] = ""
    ours = made_by_bicep()
    # Without a container of the installation, it names another one, which belongs to whoever set it.
    if not last.get("evidenceDays"):
        ours.discard("DISKSEAL_EVIDENCE")
    shown["extraSettings"] = {name: one for name, one in settings.items() if name not in ours}
    urls = {one: settings[f"DISKSEAL_AZURE_MONITOR_{one.upper()}_ENDPOINT"] for one in SIGNALS if f"DISKSEAL_AZURE_MONITOR_{one.upper()}_ENDPOINT" in settings}
    if urls and (last.get("otlp") or not last):
        shown["otlp"] = {**last.get("otlp", {}), **urls}
    properties = app.get("properties", {})
    scale = (properties.get("functionAppConfig") or {}).get("scaleAndConcurrency") or {}
    if scale:
        shown["alwaysReady"] = sum(int(one.get("instanceCount", 0)) for one in scale.get("alwaysReady") or [])
        shown["instanceMemory"] = int(scale.get("instanceMemoryMB", 512))
        shown["maximumInstances"] = int(scale.get("maximumInstanceCount", 10))
    shown["privateNetwork"] = bool(properties.get("virtualNetworkSubnetId"))
    shown["tags"] = {name: one for name, one in (group.get("tags") or {}).items() if name not in OWN_TAGS}
    return shown


def line(name, old, new):
    told = lambda value: json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value or "''"
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield f"{name}.{key}: {told(old[key]) if key in old else '(none)'} → {told(new[key]) if key in new else '(none)'}"
    else:
        yield f"{name}: {told(old)} → {told(new)}"


def main():
    state, asked = Path(sys.argv[1]), dict(one.split("=", 1) for one in sys.argv[2:])
    read = lambda name: json.loads((state / name).read_text() or "{}") if (state / name).exists() else {}
    group, app, settings, last = (read(name) for name in ("group.json", "app.json", "settings.json", "last.json"))
    known = declared()
    # The parameters of a deployment are {NAME: {type, value}}, without those that were secure.
    last = {name: one["value"] for name, one in last.items() if name in known and one.get("value") is not None}
    today = {**last, **(shown_by(app, settings, group, last) if app else {})}
    wanted = dict(today)
    for name, text in asked.items():
        if name not in known:
            sys.exit(f"error: {name} is not a parameter of main.bicep\n       there are {', '.join(known)}")
        try:
            value = value_of(known[name], text)
        except (ValueError, OSError) as error:
            sys.exit(f"error: the parameter {name} cannot be {text!r}: {error}")
        wanted[name] = merged(today.get(name), value)
    # Links to the runbook of the repository, whose address Cargo.toml alone has.
    repository = re.search(r'^repository\s*=\s*"([^"]+)"', (INFRA.parent / "Cargo.toml").read_text(), re.M) if (INFRA.parent / "Cargo.toml").exists() else None
    if repository and "runbook" not in wanted:
        wanted["runbook"] = f"{repository[1].rstrip('/')}/blob/HEAD/docs/runbook.md"
    # Each scope replaces the other.
    if asked.get("managementGroup"):
        wanted["subscriptions"] = ""
    elif asked.get("subscriptions"):
        wanted["managementGroup"] = ""
    if app:
        for name in known:
            if name in ("name", "location", "packageUri"):
                continue
            if name in today and wanted[name] != today[name]:
                print(*line(name, today[name], wanted[name]), sep="\n")
            elif name not in today and name in asked:
                print(f"{name}: (not known) → {json.dumps(wanted[name], ensure_ascii=False)}")
        if not last:
            missing = [name for name in known if name not in wanted and name not in ("name", "location", "packageUri")]
            print(f"back to their defaults, because Azure has no record of the last deployment: {', '.join(missing)}")
    # A release address belongs to the deployment that it was given to.
    wanted.pop("packageUri", None)
    if "packageUri" in asked:
        wanted["packageUri"] = asked["packageUri"]
    (state / "parameters.json").write_text(json.dumps({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#", "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": one} for name, one in wanted.items()}}, indent=2))
    topics = wanted.get("existingTopics", {})
    has_policies = wanted.get("assignDiskPolicy", False) or wanted.get("snapshotPolicy", "Off") == "Modify"
    # For the script, a line each; the topics are the rest.
    decided = [wanted.get("subscriptions", ""), wanted.get("managementGroup", ""), wanted.get("mode", "audit"), wanted.get("backupGuard", "skip"),
               json.dumps(wanted.get("tags", {})), json.dumps(wanted.get("sendActivityLog", True)), json.dumps(has_policies),
               json.dumps(topics), wanted.get("packageUri", ""), wanted.get("alertEmails", ""), json.dumps(wanted.get("grants", False)),
               json.dumps(wanted.get("revoke", False)), *topics.values()]
    (state / "decided").write_text("".join(f"{one}\n" for one in decided))


if __name__ == "__main__":
    main()
