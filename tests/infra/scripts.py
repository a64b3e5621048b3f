"""Runs infra/deploy.sh and infra/remove.sh against a stand-in for the Azure CLI (az, beside this file).

    scripts.py REPOSITORY

A line a check, as check.py prints them.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = Path(sys.argv[1]).resolve()
SUB, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
APP = f"/subscriptions/{SUB}/resourceGroups/rg-diskseal/providers/Microsoft.Web/sites/func"
TOPIC = f"/subscriptions/{SUB}/resourceGroups/rg-others/providers/Microsoft.EventGrid/systemTopics/theirs"
OUTPUTS = ["rg-diskseal", "func", APP, "/storage", "dead-letters", "/identity", "principal", "/workspace"]
RULES = [
    {"when": ["account show"], "says": SUB},
    {"when": ["deployment sub show"], "says": "\t".join(OUTPUTS)},
    {"when": ["Microsoft.ResourceGraph"], "says": f"{SUB},{OTHER}"},
    {"when": ["--query identity.type"], "says": "SystemAssigned"},
    {"when": ["identity show"], "says": "principal"},
    {"when": ["role assignment list"], "says": "/assignment"},
]
failures = []


def check(what, is_so, told=""):
    print(f"ok   scripts: {what}" if is_so else f"FAIL scripts: {what} — {told}")
    if not is_so:
        failures.append(what)


def run(script, *arguments, rules=(), environment=None, typed=""):
    """The exit code, the output, and the calls of az."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "bin").mkdir()
        (folder / "bin" / "az").symlink_to(HERE / "az")
        (folder / "rules.json").write_text(json.dumps([*rules, *RULES]))
        (folder / "app.zip").write_text("zip")
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        env = {**kept, "PATH": f"{folder}/bin:{os.environ['PATH']}", "AZ_SCENARIO": str(folder), "DISKSEAL_PACKAGE": str(folder / "app.zip"),
               "DISKSEAL_WAIT_SECONDS": "0", "DISKSEAL_RETRY_SECONDS": "0", **(environment or {})}
        done = subprocess.run([str(REPOSITORY / "infra" / script), *arguments], env=env, text=True, input=typed, capture_output=True, timeout=120)
        journal = folder / "journal"
        calls = journal.read_text().replace(str(folder), "TMP").splitlines() if journal.exists() else []
        return done.returncode, done.stdout + done.stderr, calls


def in_order(calls, *parts):
    """Whether the calls with these parts come in this order."""
    at = [next((i for i, call in enumerate(calls) if part in call), None) for part in parts]
    return None not in at and at == sorted(at)


STEPS = ["main.bicep", "config-zip", "syncfunctiontriggers", "/functions/seal_on_write", "events.bicep"]
ARGUMENTS = ["--location", "westeurope"]

code, said, first = run("deploy.sh", *ARGUMENTS)
check("the steps run in order: infrastructure, code, trigger sync, function, event subscription", code == 0 and in_order(first, *STEPS), said)
check("the default mode is audit", "mode=audit" in "\n".join(first), said)
check("without --subscriptions the current one is in scope", any("events.bicep" in call and f"subscriptions={SUB}" in call for call in first), first)
_, _, second = run("deploy.sh", *ARGUMENTS)
check("a second run makes the same calls", first == second, second)

code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["account show"], "fails": "Please run 'az login'"}])
check("without a sign-in the script stops and names az login", code == 1 and "az login" in said and len(calls) == 1, said)
code, said, calls = run("deploy.sh")
check("without a region the script stops", code == 1 and "no region" in said and not any("create" in call for call in calls), said)
code, said, calls = run("deploy.sh", *ARGUMENTS, "--mode", "on")
check("an unknown mode is refused", code == 1 and "audit or enforce" in said, said)

code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["/functions/seal_on_write"], "fails": "NotFound"}])
check("a function that never appears is reported, and no event subscription is created", code == 1 and "seal_on_write does not exist" in said and not any("events.bicep" in call for call in calls), said)
late = [{"when": ["/functions/seal_on_write"], "fails": "NotFound", "times": 3}]
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=late)
check("the script waits for a function that appears late", code == 0 and sum("/functions/seal_on_write" in call for call in calls) == 4, said)
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["config-zip"], "fails": "400 Bad Request"}])
check("a refused package stops the script with a remedy", code == 1 and "deploying the code failed" in said and not in_order(calls, "syncfunctiontriggers"), said)

young = [{"when": ["config-zip"], "fails": "403 Forbidden", "times": 2}]
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=young)
check("the script waits for a role that is not in effect yet", code == 0 and sum("config-zip" in call for call in calls) == 3, said)

early = [{"when": ["main.bicep"], "fails": "PrincipalNotFound: does not exist in the directory", "times": 1}]
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=early)
check("the script waits for an identity that is still replicating", code == 0 and sum("main.bicep" in call for call in calls) == 2, said)
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["main.bicep"], "fails": "QuotaExceeded: cores"}])
check("any other error is reported at once, in Azure's words", code == 1 and "QuotaExceeded" in said and sum("main.bicep" in call for call in calls) == 1, said)

taken = [{"when": ["/providers/Microsoft.EventGrid/systemTopics?"], "says": TOPIC}]
code, said, calls = run("deploy.sh", *ARGUMENTS, rules=taken)
check("an existing topic is reported before anything is created", code == 1 and f"--existing-topic {TOPIC}" in said and not any("create" in call for call in calls), said)
code, said, calls = run("deploy.sh", *ARGUMENTS, "--existing-topic", TOPIC, rules=taken)
patch = next((call for call in calls if "--method patch" in call), "")
check("an existing topic keeps its identity and gets Diskseal's", code == 0 and "SystemAssigned, UserAssigned" in patch and in_order(calls, "--method patch", "events.bicep"), said)
check("... and is used", any("events.bicep" in call and f'"{SUB}":"{TOPIC}"' in call for call in calls), calls)

code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg")
check("a management group's subscriptions are found, and the role is assigned there", code == 0 and in_order(calls, "ResourceGraph", "main.bicep", "role-management-group.bicep", "events.bicep"), said)
check("... with an event subscription in each", any("events.bicep" in call and f"{SUB},{OTHER}" in call for call in calls), calls)
code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg", "--subscriptions", SUB)
check("subscriptions and a management group exclude each other", code == 1 and "exclude" in said, said)

names = ["resourceGroupName", "functionAppName", "functionAppId", "storageAccountId", "deadLetterContainer", "deadLetterIdentityId", "hostPrincipalId", "workspaceId"]
azd = {"AZURE_LOCATION": "westeurope", "DISKSEAL_SUBSCRIPTIONS": OTHER, **dict(zip(names, OUTPUTS))}
code, said, calls = run("deploy.sh", "--after-infrastructure", environment=azd)
check("azd's hook continues after the infrastructure", code == 0 and not any("main.bicep" in call for call in calls) and in_order(calls, *STEPS[1:]), said)
code, said, calls = run("deploy.sh", "--after-infrastructure", environment={"AZURE_LOCATION": "westeurope"})
check("... and names a missing output", code == 1 and "resourceGroupName" in said, said)
code, said, calls = run("deploy.sh", *ARGUMENTS, "privateNetwork=true")
check("a private network's provider is registered first", code == 0 and in_order(calls, "register --namespace Microsoft.App", "main.bicep"), said)
code, said, calls = run("deploy.sh", "--code", environment=azd)
check("--code deploys only the code, for Terraform", code == 0 and in_order(calls, *STEPS[1:4]) and not any("deployment sub" in call for call in calls), said)
code, said, calls = run("deploy.sh", *ARGUMENTS, "--what-if", "privateNetwork=true")
check("--what-if changes nothing", code == 0 and any("what-if" in call and "privateNetwork=true" in call for call in calls) and not any("create" in call for call in calls), said)

code, said, calls = run("remove.sh", typed="no\n")
check("removal asks for confirmation, and a wrong answer changes nothing", code == 1 and "nothing was changed" in said and not any("delete" in call for call in calls), said)
code, said, calls = run("remove.sh", "--yes", "--subscriptions", f"{SUB},{OTHER}")
check("removal deletes event subscriptions, then roles, then the rest", code == 0 and in_order(calls, "eventSubscriptions", "role assignment delete", "role definition delete", "group delete --name rg-diskseal --yes"), said)
gone = [{"when": ["delete"], "fails": "ResourceGroupNotFound"}, {"when": ["identity show"], "fails": "NotFound"}]
code, said, calls = run("remove.sh", "--yes", rules=gone)
check("a second removal succeeds", code == 0, said)
code, said, calls = run("remove.sh", "--yes", rules=[{"when": ["role definition delete"], "fails": "AuthorizationFailed"}])
check("a refused removal is reported", code == 1 and "AuthorizationFailed" in said and "still exist" in said, said)
code, said, calls = run("remove.sh", "--yes", "--existing-topic", TOPIC)
check("an existing topic stays, without Diskseal's event subscription", code == 0 and any(f"{TOPIC}/eventSubscriptions/diskseal" in call for call in calls) and not any("delete" in call and call.rstrip().endswith("theirs") for call in calls), said)

sys.exit(1 if failures else 0)
