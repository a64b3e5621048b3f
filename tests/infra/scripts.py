"""Runs infra/deploy.sh and infra/remove.sh against a stand-in for the Azure CLI (az, beside this file).

    scripts.py REPOSITORY [PART [UNTIL]]

A line a check, as check.py prints them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import release
import removal

HERE = Path(__file__).resolve().parent
REPOSITORY = Path(sys.argv[1]).resolve()
SUB, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
APP = f"/subscriptions/{SUB}/resourceGroups/rg-diskseal/providers/Microsoft.Web/sites/func"
TOPIC = f"/subscriptions/{SUB}/resourceGroups/rg-others/providers/Microsoft.EventGrid/systemTopics/theirs"
OUTPUTS = ["rg-diskseal", "func", APP, "/storage", "dead-letters", "/identity", "principal", "client", "/workspace"]
RULES = [
    {"when": ["account show"], "says": SUB},
    {"when": ["group show", "--query location"], "fails": "ResourceGroupNotFound"},
    {"when": ["group show"], "fails": "ResourceGroupNotFound"},
    {"when": ["deployment sub show"], "says": "\t".join(OUTPUTS)},
    {"when": ["Microsoft.ResourceGraph", "systemtopics"], "says": ""},
    {"when": ["Microsoft.ResourceGraph"], "says": f"{SUB},{OTHER}\t"},
    {"when": ["--query identity ||"], "says": json.dumps({"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {"/theirs": {}}})},
    {"when": ["--query properties.provisioningState"], "says": "Succeeded"},
]
LAST = {"mode": "audit", "alertEmails": "ops@example.com", "subscriptions": f"{SUB},{OTHER}", "assignDiskPolicy": True, "tags": {"team": "x"}, "exporters": [], "extraSettings": {}}


# The failure that a planted mistake must cause: nothing is to be learned after it.
UNTIL = sys.argv[3] if len(sys.argv) > 3 else ""
failures = []


def installed(mode="enforce", settings=(), last=LAST, switch="", tags=(), app=()):
    """What Azure shows of an installation."""
    shown = {"AzureWebJobsStorage__credential": "managedidentity", "DISKSEAL_MODE": mode, "DISKSEAL_BACKUP_GUARD": "skip", "DISKSEAL_SWEEP_SCHEDULE": "0 17 * * * *",
             "DISKSEAL_SUBSCRIPTIONS": f"{SUB},{OTHER}", **dict(settings)}
    site = {"id": APP, "tags": {"application": "diskseal"}, "properties": {"functionAppConfig": {"scaleAndConcurrency": {"instanceMemoryMB": 512, "maximumInstanceCount": 10, "alwaysReady": []}}, **dict(app)}}
    parameters = [{"when": ["--query properties.parameters"], "says": json.dumps({name: {"type": "x", "value": one} for name, one in last.items()})}]
    return [
        {"when": ["group show", "--query location"], "says": "westeurope"},
        {"when": ["group show", "--query tags.diskseal"], "says": switch},
        {"when": ["group show"], "says": json.dumps({"location": "westeurope", "tags": {"application": "diskseal", "team": "x", **({"diskseal": switch} if switch else {}), **dict(tags)}})},
        {"when": ["providers/Microsoft.Web/sites?"], "says": APP},
        {"when": ["appsettings/list"], "says": json.dumps(shown)},
        {"when": ["--method get", f"{APP}?api-version"], "says": json.dumps(site)},
        *(parameters if last else [{"when": ["--query properties.parameters"], "fails": "DeploymentNotFound"}]),
    ]


def parameters(calls, command="sub create"):
    """The parameters of the infrastructure step, as the script hands them over; nothing if it does not come to that."""
    call = next((call for call in calls if "main.bicep" in call and command in call), None)
    if call is None:
        return defaultdict(str)
    at = call.index("--parameters ") + len("--parameters ")
    found, end = json.JSONDecoder().raw_decode(call[at:])
    given = dict(one.split("=", 1) for one in call[at + end:].split() if "=" in one)
    return {**{name: one["value"] for name, one in found.items()}, **given}


def check(what, is_so, told=""):
    print(f"ok   scripts: {what}" if is_so else f"FAIL scripts: {what} — {told}", flush=True)
    if not is_so:
        failures.append(what)
        if UNTIL and UNTIL in f"{what} — {told}":
            sys.exit(1)


def run(script, *arguments, rules=(), environment=None, typed="", repository=REPOSITORY, tools=None):
    """The exit code, the output, and the calls of az."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "bin").mkdir()
        # Straight to this Python: a shim on the path would take longer than everything else.
        (folder / "bin" / "az").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{HERE}/az" "$@"\n')
        (folder / "bin" / "az").chmod(0o755)
        for name, text in (tools or {}).items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        (folder / "rules.json").write_text(json.dumps([*rules, *RULES]))
        (folder / "app.zip").write_text("zip")
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        env = {**kept, "PATH": f"{folder}/bin:{os.environ['PATH']}", "AZ_SCENARIO": str(folder), "DISKSEAL_WAIT_SECONDS": "0", "DISKSEAL_RETRY_SECONDS": "0", **(environment or {})}
        if script == "deploy.sh" and not {"--check", "--package", "--version"} & set(arguments):
            arguments = (*arguments, "--package", str(folder / "app.zip"))
        done = subprocess.run([str(repository / "infra" / script), *arguments], env=env, text=True, input=typed, capture_output=True, timeout=900)
        journal = folder / "journal"
        calls = journal.read_text().replace(str(folder), "TMP").splitlines() if journal.exists() else []
        return done.returncode, done.stdout + done.stderr, calls


def in_order(calls, *parts):
    """Whether the calls with these parts come in this order."""
    at = [next((i for i, call in enumerate(calls) if part in call), None) for part in parts]
    return None not in at and at == sorted(at)


STEPS = ["main.bicep", "config-zip", "/functions/seal_on_write", "events.bicep"]
ARGUMENTS = ["--location", "westeurope", "alertEmails=ops@example.com"]


def first_installation():
    code, said, first = run("deploy.sh", *ARGUMENTS)
    check("the steps run in order: infrastructure, code, function, event subscription", code == 0 and in_order(first, *STEPS), said)
    given = parameters(first)
    check("the first installation is in audit mode, by the template's default", "mode" not in given and "in mode audit" in said, said)
    check("without --subscriptions the current one is in scope", any("events.bicep" in call and f"subscriptions={SUB} " in call for call in first), first)
    check("the resources of the event subscriptions get the tags", any("events.bicep" in call and 'tags={"cost": "1"}' in call for call in run("deploy.sh", *ARGUMENTS, 'tags={"cost":"1"}')[2]), first)

    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["account show"], "fails": "Please run 'az login'"}])
    check("without a sign-in the script stops and names az login", code == 1 and "az login" in said and len(calls) == 1, said)
    code, said, calls = run("deploy.sh")
    check("without a region the script stops", code == 1 and "no region" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS[:2])
    check("without a recipient of alerts the script stops, and says what to pass", code == 1 and "alertEmails is required" in said and "alertEmails=none" in said and not any("create" in call for call in calls), said)
    check("... and the help names it", "alertEmails=" in run("deploy.sh", "--help")[1])
    check("the handler's own writes are not delivered", any("events.bicep" in call and "handlerClientId=client " in call for call in first), first)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--mode", "on")
    check("an unknown mode is refused", code == 1 and "audit or enforce" in said, said)
    for given in (f"{SUB},", f"{SUB},,{OTHER}", ",", f",{SUB}"):
        for option in (["--subscriptions", given], [f"subscriptions={given}"]):
            code, said, calls = run("deploy.sh", *ARGUMENTS, *option)
            check(f"an empty element of subscriptions is refused: {option[0]} {given.replace(SUB, 'A').replace(OTHER, 'B')}", code == 1 and "empty element" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--subscriptions", f"{SUB}, {OTHER},{SUB.upper()},{OTHER}")
    check("a subscription that occurs twice counts once", code == 0 and parameters(calls)["subscriptions"] == f"{SUB},{OTHER}" and "in scope: 2 " in said, said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "extraSettings={'x'}")
    check("a parameter that is no JSON is refused before anything is created", code == 1 and "extraSettings" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "modus=audit")
    check("an unknown parameter is refused", code == 1 and "modus is not a parameter" in said, said)
    shell = {"DISKSEAL_MODE": "enforce", "DISKSEAL_SUBSCRIPTIONS": OTHER, "DISKSEAL_NAME": "theirs", "DISKSEAL_DEPLOY_MODE": "enforce", "DISKSEAL_DEPLOY_SUBSCRIPTIONS": OTHER,
             "AZURE_SUBSCRIPTION_ID": OTHER, "DISKSEAL_MANAGEMENT_GROUP": "mg", "DISKSEAL_BACKUP_GUARD": "off", "AZURE_LOCATION": "eastus"}
    code, said, calls = run("deploy.sh", *ARGUMENTS, environment=shell)
    check("variables of the shell are no options", code == 0 and calls == first, calls)
    strays = [call for call in first if not names_subscription(call)]
    check("every call names its subscription", strays == [], strays)


def names_subscription(call):
    return f"--subscription {SUB}" in call or f"/subscriptions/{SUB}" in call or f"/subscriptions/{OTHER}" in call or "ResourceGraph" in call or call.startswith("account show")


def first_ten_minutes():
    late = [{"when": ["/functions/seal_on_write"], "fails": "NotFound", "times": 36}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=late)
    check("a host that starts after three minutes is waited for, with a line that says so", code == 0 and "the host has not started yet" in said and sum("/functions/seal_on_write" in call for call in calls) == 37, said)
    refused = [{"when": ["syncfunctiontriggers"], "fails": "400 Encountered an error (ServiceUnavailable) from host runtime"}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[*late, *refused])
    check("a refused sync of the triggers does not end the run", code == 0, said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["config-zip"], "fails": "400 Bad Request"}])
    check("a refused package stops the script with a remedy", code == 1 and "deploying the code failed" in said and not any("events.bicep" in call for call in calls), said)
    for answer, times in (("403 Forbidden", 18), ("404 Not Found", 2), ("409 Conflict: another deployment is in progress", 2), ("502 Bad Gateway", 2), ("Failed to resolve 'func.scm.azurewebsites.net' (NameResolutionError)", 2)):
        code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["config-zip"], "fails": answer, "times": times}])
        check(f"an app that is not ready is waited for: {answer[:20]}", code == 0 and "cannot take the code yet" in said and sum("config-zip" in call for call in calls) == times + 1, said)
    for answer in ("Deployment was successful but the app appears to be unhealthy.", "Failed to fetch host key to check for function app status"):
        code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["config-zip"], "fails": answer}])
        check(f"code that is there is not sent again: {answer[:24]}", code == 0 and sum("config-zip" in call for call in calls) == 1 and in_order(calls, *STEPS), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["config-zip"], "fails": "ResourceGroupNotFound (404)"}])
    check("a resource group that is missing is not waited for", code == 1 and sum("config-zip" in call for call in calls) == 1, said)
    for answer in ("PrincipalNotFound: does not exist in the directory", "AuthorizationFailed"):
        code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["main.bicep"], "fails": answer, "times": 1}])
        check(f"an identity or role that is still spreading is waited for: {answer[:20]}", code == 0 and sum("main.bicep" in call for call in calls) == 2, said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["main.bicep"], "fails": "QuotaExceeded: cores"}])
    check("any other error is reported at once, in Azure's words", code == 1 and "QuotaExceeded" in said and sum("main.bicep" in call for call in calls) == 1, said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, rules=[{"when": ["/functions/seal_on_write"], "fails": "NotFound"}])
    check("a function that never appears is reported, and no event subscription is created", code == 1 and "seal_on_write does not exist" in said and not any("events.bicep" in call for call in calls), said)
    check("... after ten minutes at least", sum("/functions/seal_on_write" in call for call in calls) * 5 >= 600, len(calls))


def second_run():
    there = installed()
    code, said, calls = run("deploy.sh", rules=there)
    given = parameters(calls)
    check("a second run without options asks nothing and keeps the mode", code == 0 and given["mode"] == "enforce" and "stay as they are" in said and "in mode enforce" in said, said)
    check("... and scope, mails, policies and tags of the last deployment", [given.get(name) for name in ("subscriptions", "alertEmails", "assignDiskPolicy", "tags")] == [f"{SUB},{OTHER}", "ops@example.com", True, {"team": "x"}], given)
    strays = [call for call in calls if not names_subscription(call)]
    check("... and every call names its subscription", strays == [], strays)
    check("... and its region", given["location"] == "westeurope", given)
    code, said, calls = run("deploy.sh", rules=installed(settings={"DISKSEAL_EXEMPT_NAMES": "keep-*", "DISKSEAL_SWEEP_SCHEDULE": "0 5 * * * *"}, tags={"cost": "1"}, app={"virtualNetworkSubnetId": "/subnet"}))
    given = parameters(calls)
    check("settings, tags and the network that were changed at the app are kept", code == 0 and given["extraSettings"] == {"DISKSEAL_EXEMPT_NAMES": "keep-*"} and given["sweepSchedule"] == "0 5 * * * *" and given["tags"] == {"team": "x", "cost": "1"} and given["privateNetwork"] is True, given)
    code, said, calls = run("deploy.sh", rules=installed(settings={"DISKSEAL_GRANTS": "on"}))
    kept = parameters(calls)
    check("what was switched on at the app stays on", code == 0 and kept["grants"] is True and kept["revoke"] is False and "DISKSEAL_GRANTS" not in kept["extraSettings"], kept)
    check("the settings that the template makes are not added once more", "AzureWebJobsStorage__credential" not in given["extraSettings"], given)

    code, said, calls = run("deploy.sh", "--mode", "audit", rules=there, typed="no\n")
    check("a change is shown, and nothing happens without agreement", code == 1 and "mode: enforce → audit" in said and not any(word in call for call in calls for word in ("create", "config-zip", "--method patch")), said)
    code, said, calls = run("deploy.sh", "--mode", "audit", rules=there)
    check("without a terminal a change needs --yes", code == 1 and "--yes" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", "--mode", "audit", rules=there, typed="yes\n")
    check("an agreed change is made", code == 0 and parameters(calls)["mode"] == "audit", said)
    code, said, calls = run("deploy.sh", "--yes", 'extraSettings={"DISKSEAL_EXEMPT_TAG":"keep","DISKSEAL_OLD":null}', rules=installed(settings={"DISKSEAL_EXEMPT_NAMES": "a", "DISKSEAL_OLD": "1"}))
    check("members of objects are merged, and null removes one", code == 0 and parameters(calls)["extraSettings"] == {"DISKSEAL_EXEMPT_NAMES": "a", "DISKSEAL_EXEMPT_TAG": "keep"} and "extraSettings.DISKSEAL_OLD: 1 → (none)" in said, said)
    code, said, calls = run("deploy.sh", "--location", "eastus", rules=there)
    check("another region is refused before anything is created", code == 1 and "cannot move" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", "alertEmails=ops@example.com", rules=installed(last={}), typed="no\n")
    check("without a record of the last deployment, what would go back to its default is named", code == 1 and "logRetention" in said and "no record" in said, said)
    code, said, calls = run("deploy.sh", "--yes", rules=installed(last={}))
    check("... and recipients of alerts are asked for again", code == 1 and "alertEmails is required" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", rules=[{"when": ["appsettings/list"], "fails": "AuthorizationFailed"}, *there])
    check("settings that cannot be read stop the run", code == 1 and "cannot be kept" in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", rules=[{"when": ["--query properties.parameters"], "fails": "AuthorizationFailed"}, *there])
    check("a last deployment that cannot be read stops the run", code == 1 and not any("create" in call for call in calls), said)

    code, said, calls = run("deploy.sh", rules=there)
    check("an update checks, brings the code, and then its settings", code == 0 and in_order(calls, "sub validate", "config-zip", "sub create --name diskseal-westeurope", "events.bicep"), calls)
    check("... once", sum("config-zip" in call for call in calls) == 1, calls)
    code, said, calls = run("deploy.sh", rules=[{"when": ["sub validate"], "fails": "InvalidTemplateDeployment"}, *there])
    check("an update that Azure would refuse leaves the old pair", code == 1 and "nothing was changed" in said and not any(word in call for call in calls for word in ("create", "config-zip")), said)
    code, said, calls = run("deploy.sh", rules=[{"when": ["config-zip"], "fails": "400 Bad Request"}, *there])
    check("code that is refused leaves the old pair", code == 1 and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", "--rollback", rules=there)
    check("a rollback brings the settings, and then the code", code == 0 and in_order(calls, "sub create --name diskseal-westeurope", "config-zip", "events.bicep"), calls)

    code, said, calls = run("deploy.sh", rules=installed(switch="off"))
    check("a switch that is off stays off, and the run says so", code == 0 and "stays off" in said and "diskseal" not in parameters(calls)["tags"] and not any("tag update" in call for call in calls), said)
    lost = [{"when": ["--query tags.diskseal"], "says": "off", "times": 1}, {"when": ["--query tags.diskseal"], "says": ""}]
    code, said, calls = run("deploy.sh", rules=[*lost, *there])
    check("a switch that a deployment has removed is set again", code == 0 and any("tag update" in call and "diskseal=off" in call and "Merge" in call for call in calls), said)
    code, said, calls = run("deploy.sh", "--mode", "audit", "--yes", rules=there)
    check("in audit mode the remediations of policies end", code == 0 and sum("/cancel?" in call for call in calls) == 4, calls)


def scopes():
    both = [{"when": ["Microsoft.ResourceGraph", "systemtopics"], "says": f"{TOPIC}\n{TOPIC.replace(SUB, OTHER)}"}]
    taken = [{"when": ["Microsoft.ResourceGraph", "systemtopics"], "says": TOPIC}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--subscriptions", f"{SUB},{OTHER}", rules=both)
    check("all existing topics are reported before anything is created", code == 1 and f"--existing-topic {TOPIC}" in said and TOPIC.replace(SUB, OTHER) in said and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--existing-topic", TOPIC, rules=taken)
    patch = next((call for call in calls if "--method patch" in call), "")
    check("an existing topic keeps its identities and gets Diskseal's", code == 0 and "SystemAssigned, UserAssigned" in patch and '"/theirs": {}' in patch and '"/identity": {}' in patch and in_order(calls, "--method patch", "provisioningState", "events.bicep"), said)
    check("... and is used", any("events.bicep" in call and f'"{SUB}": "{TOPIC}"' in call for call in calls), calls)
    had = [{"when": ["--query identity ||"], "says": json.dumps({"type": "UserAssigned", "userAssignedIdentities": {"/Identity": {}}})}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--existing-topic", TOPIC, rules=[*had, *taken])
    check("a topic that has the identity is left alone", code == 0 and not any("--method patch" in call for call in calls), said)
    slow = [{"when": ["--query properties.provisioningState"], "says": "Updating", "times": 4}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--existing-topic", TOPIC, rules=[*slow, *taken])
    check("the event subscription waits for the topic", code == 0 and sum("provisioningState" in call for call in calls) == 5, calls)
    failed = [{"when": ["--query properties.provisioningState"], "says": "Failed"}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--existing-topic", TOPIC, rules=[*failed, *taken])
    check("a topic that does not take the identity ends the run", code == 1 and "did not take" in said and not any("events.bicep" in call for call in calls), said)
    code, said, calls = run("deploy.sh", rules=[*installed(last={**LAST, "existingTopics": {SUB: TOPIC}}), *taken])
    check("a second run remembers the existing topics", code == 0 and any("events.bicep" in call and TOPIC in call for call in calls), said)

    code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg")
    check("a management group's subscriptions are found, and the role is assigned there", code == 0 and in_order(calls, "ResourceGraph", "main.bicep", "role-management-group.bicep", "events.bicep"), said)
    check("... with an event subscription in each", any("events.bicep" in call and f"{SUB},{OTHER}" in call for call in calls), calls)
    for asked in ("false", "true"):
        code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg", *([] if asked == "false" else ["grants=true", "revoke=true"]))
        handed = [any("role-management-group.bicep" in call and f"includeRevoke={asked}" in call for call in calls), any("infra/events.bicep" in call and f"grants={asked}" in call for call in calls)]
        check(f"grants and revocations are handed over as asked for: {asked}", code == 0 and all(handed), calls)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg", "--subscriptions", SUB)
    check("subscriptions and a management group exclude each other", code == 1 and "exclude" in said, said)
    many = [f"{i:08x}-0000-0000-0000-000000000000" for i in range(1500)]
    pages = [{"when": ["systemtopics"], "says": ""}, {"when": ['"$skipToken":"next"'], "says": ",".join(many[1000:]) + "\t"}, {"when": ["ResourceGraph"], "says": ",".join(many[:1000]) + "\tnext"}]
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--management-group", "mg", rules=pages)
    parts = [call.split("subscriptions=")[1].split(" ")[0].split(",") for call in calls if "events.bicep" in call]
    names = {call.split("--name ")[1].split()[0] for call in calls if "events.bicep" in call}
    check("a group of 1500 subscriptions is read in pages, and gets its events by 200", code == 0 and sum(parts, []) == many and max(map(len, parts)) == 200 and len(names) == len(parts) == 8, said)


def other_ways():
    azd = {"AZURE_ENV_NAME": "dev", "AZURE_SUBSCRIPTION_ID": OTHER, "AZURE_LOCATION": "westeurope", "DISKSEAL_DEPLOY_SUBSCRIPTIONS": OTHER, **dict(zip(NAMES, (one.replace(SUB, OTHER) for one in OUTPUTS)))}
    code, said, calls = run("deploy.sh", "--after-infrastructure", environment=azd)
    check("azd's hook continues after the infrastructure", code == 0 and not any("main.bicep" in call for call in calls) and in_order(calls, *STEPS[1:]), said)
    strays = [call for call in calls if SUB in call]
    check("... in azd's subscription, not in the Azure CLI's", not strays and any("config-zip" in call and f"--subscription {OTHER}" in call for call in calls), strays)
    code, said, calls = run("deploy.sh", "--after-infrastructure", environment={"AZURE_LOCATION": "westeurope"})
    check("... and names a missing output", code == 1 and "resourceGroupName" in said, said)
    code, said, calls = run("deploy.sh", "--after-infrastructure", environment={**azd, "DISKSEAL_DEPLOY_PACKAGE_URI": "https://example.com/app.zip"})
    check("... and does not send code that Resource Manager has deployed", code == 0 and not any("config-zip" in call for call in calls), calls)
    code, said, calls = run("deploy.sh", "--check", environment={"AZURE_SUBSCRIPTION_ID": OTHER, "AZURE_ENV_NAME": "dev"})
    check("azd's check needs no region, which azd asks for later", code == 0 and not any("create" in call for call in calls), said)
    code, said, calls = run("deploy.sh", "--check", environment={"AZURE_SUBSCRIPTION_ID": OTHER, "DISKSEAL_DEPLOY_PRIVATE_NETWORK": "True"})
    check("... and registers a private network's provider in azd's subscription", code == 0 and any("register --namespace Microsoft.App" in call and f"--subscription {OTHER}" in call for call in calls), calls)
    for given in ("true", "True"):
        code, said, calls = run("deploy.sh", *ARGUMENTS, f"privateNetwork={given}")
        check(f"a private network's provider is registered first: {given}", code == 0 and in_order(calls, "register --namespace Microsoft.App", "main.bicep"), said)
    code, said, calls = run("deploy.sh", "--code", environment=azd)
    check("--code deploys only the code, for Terraform", code == 0 and in_order(calls, *STEPS[1:3]) and not any("deployment sub" in call for call in calls) and not any(SUB in call for call in calls), calls)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "--what-if", "privateNetwork=true")
    check("--what-if changes nothing", code == 0 and parameters(calls, "what-if")["privateNetwork"] is True and not any(word in call for call in calls for word in ("create", "register")), said)
    code, said, calls = run("deploy.sh", *ARGUMENTS, "packageUri=https://example.com/app.zip")
    check("with an address, Resource Manager deploys the code", code == 0 and parameters(calls)["packageUri"] == "https://example.com/app.zip" and not any("config-zip" in call for call in calls), said)


NAMES = ["resourceGroupName", "functionAppName", "functionAppId", "storageAccountId", "deadLetterContainer", "deadLetterIdentityId", "hostPrincipalId", "hostClientId", "workspaceId"]
PARTS = {part.__name__: part for part in (first_installation, first_ten_minutes, second_run, scopes, other_ways)}
PARTS["removal"] = lambda: removal.check_all(run, check, in_order, SUB, OTHER, APP, TOPIC)
PARTS["release"] = lambda: release.check_all(run, check, REPOSITORY)
for part in sys.argv[2:3] or PARTS:
    PARTS[part]()
sys.exit(1 if failures else 0)
