"""What infra/remove.sh does against the stand-in for the Azure CLI. Used by scripts.py."""


def installation(sub, other, app, topic):
    """Two subscriptions in scope, one of which had a topic before; everything optional is there."""
    group = f"/subscriptions/{sub}/resourceGroups/rg-diskseal"
    rules = [
        {"when": ["--method get", f"{group}?", "--query location"], "says": "westeurope"},
        {"when": ["--method get", f"{group}?", "--query tags.application"], "says": "diskseal"},
        {"when": ["providers/Microsoft.Web/sites?"], "says": app},
        {"when": ["appsettings/list"], "says": f"{sub},{other}\t-"},
        {"when": [f"/subscriptions/{sub}/providers/Microsoft.EventGrid/systemTopics?"], "says": topic},
        {"when": [f"/subscriptions/{other}/providers/Microsoft.EventGrid/systemTopics?"], "says": f"/subscriptions/{other}/resourceGroups/rg-diskseal-events/providers/Microsoft.EventGrid/systemTopics/topic-diskseal"},
        {"when": ["--method get", "/eventSubscriptions/diskseal?"], "says": f"{app}/functions/seal_on_write"},
        {"when": ["--method get", f"/subscriptions/{other}/resourceGroups/rg-diskseal-events?"], "says": "diskseal"},
        {"when": ["--method get", f"/subscriptions/{sub}/resourceGroups/rg-diskseal-events?"], "fails": "ResourceGroupNotFound"},
        {"when": ["--method get", "diagnosticSettings/diskseal?"], "says": f"{group}/providers/Microsoft.OperationalInsights/workspaces/log-diskseal"},
        {"when": ["--method get", "policyAssignments/diskseal-disks?", "displayName"], "says": "Diskseal: set the auth mode"},
        {"when": ["--method get", "policyAssignments/diskseal-disks?", "principalId"], "says": "policy-principal"},
        {"when": ["--method get", "policyAssignments/diskseal-snapshots?"], "fails": "PolicyAssignmentNotFound"},
        {"when": ["--method get", "remediations/diskseal-disks?"], "says": "diskseal-disks"},
        {"when": ["--method get", "Microsoft.Resources/deployments/"], "says": "record"},
        {"when": ["role definition list"], "says": "/definition"},
    ]
    for one in (sub, other):
        rules += [
            {"when": ["role assignment list", f"--subscription {one}", "--assignee policy-principal"], "says": f"/subscriptions/{one}/policy-assignment"},
            {"when": ["role assignment list", f"--subscription {one}", "--role Diskseal (diskseal)"], "says": f"/subscriptions/{one}/handler-assignment"},
            {"when": ["role assignment list", f"--subscription {one}", "data operator"], "says": f"/subscriptions/{one}/exporter-assignment"},
        ]
    return rules


def changes(calls):
    return [call for call in calls if "delete" in call or "--method post" in call and "appsettings" not in call]


def check_all(run, check, in_order, sub, other, app, topic):
    there = installation(sub, other, app, topic)
    code, said, calls = run("remove.sh", rules=there, typed="no\n")
    check("removal shows what it found, asks for confirmation, and a wrong answer changes nothing", code == 1 and "nothing was changed" in said and "handler-assignment" in said and not changes(calls), said)
    code, said, calls = run("remove.sh", "--yes", rules=there)
    check("removal takes the scope from the app, and deletes event subscriptions, then roles, then the rest", code == 0 and in_order(calls, "--method delete --url " + topic, "role assignment delete", "role definition delete", "--name rg-diskseal --yes"), said)
    deleted = " ".join(changes(calls))
    check("... role assignments of every subscription, those of the policies' identities included", all(f"--ids /subscriptions/{one}/{kind}-assignment" in deleted for one in (sub, other) for kind in ("handler", "exporter", "policy")), deleted)
    check("... each definition once, where it can be assigned", deleted.count("role definition delete --name Diskseal (diskseal) ") == 1 == deleted.count("role definition delete --name Diskseal disk data operator (diskseal) ") and f"role definition delete --name Diskseal (diskseal) --scope /subscriptions/{sub} " in deleted, deleted)
    check("... the remediation after it is cancelled", in_order(calls, "remediations/diskseal-disks/cancel?", "--method delete --url " + f"/subscriptions/{sub}/providers/Microsoft.PolicyInsights/remediations/diskseal-disks?"), deleted)
    check("... only the groups that are its own", f"group delete --subscription {other} --name rg-diskseal-events" in deleted and f"group delete --subscription {sub} --name rg-diskseal-events" not in deleted, deleted)
    check("an existing topic stays, without Diskseal's event subscription", f"{topic}/eventSubscriptions/diskseal" in deleted and f"--url {topic}?" not in deleted, deleted)
    check("... and what is left is said", "left as they are" in said and "Data Operator" in said, said)
    strays = [call for call in calls if f"/subscriptions/{sub}" not in call and f"/subscriptions/{other}" not in call and "--subscription " not in call and not call.startswith("account show")]
    check("every call of removal names its subscription", strays == [], strays)

    theirs = [{"when": ["--method get", "/eventSubscriptions/diskseal?"], "says": app.replace("rg-diskseal", "rg-other") + "/functions/x"},
              {"when": ["--method get", "diagnosticSettings/diskseal?"], "says": "/subscriptions/x/resourceGroups/rg-other/providers/y"},
              {"when": ["--method get", "policyAssignments/diskseal-disks?", "displayName"], "says": "Somebody's policy"},
              {"when": ["--method get", "rg-diskseal-events?"], "says": "theirs"}]
    code, said, calls = run("remove.sh", "--yes", rules=[*theirs, *there])
    check("what has the same name and belongs to somebody else stays", code == 0 and not any(word in call for call in changes(calls) for word in ("eventSubscriptions", "diagnosticSettings", "policy", "rg-diskseal-events")), changes(calls))
    code, said, calls = run("remove.sh", "--yes", rules=[{"when": ["--query tags.application", "rg-diskseal?"], "says": "somebody"}, *there])
    check("a resource group of somebody else is not an installation", code == 1 and not changes(calls), said)
    code, said, calls = run("remove.sh", "--yes", rules=[{"when": ["role assignment list", f"--subscription {other}"], "fails": "AuthorizationFailed"}, *there])
    check("what cannot be seen ends the run before the first change", code == 1 and "AuthorizationFailed" in said and not changes(calls), said)
    code, said, calls = run("remove.sh", "--yes", "--subscriptions", f"{sub},", rules=there)
    check("removal refuses an empty element of subscriptions", code == 1 and "empty element" in said and not changes(calls), said)
    gone = [{"when": ["delete"], "fails": "ResourceGroupNotFound"}]
    code, said, calls = run("remove.sh", "--yes", rules=[*gone, *there])
    check("a resource that is gone meanwhile is no error", code == 0, said)
    nothing = [{"when": ["--method get"], "fails": "ResourceNotFound"}, {"when": ["role definition list"], "says": ""}]
    code, said, calls = run("remove.sh", "--yes", rules=nothing)
    check("a second removal finds nothing and succeeds", code == 0 and "nothing of Diskseal" in said and not changes(calls), said)
    code, said, calls = run("remove.sh", "--yes", rules=[{"when": ["role definition delete"], "fails": "RoleDefinitionHasAssignments"}, *there])
    check("a refused removal is reported with what is left", code == 1 and "RoleDefinitionHasAssignments" in said and "These are left" in said, said)

    code, said, calls = run("remove.sh", "--only-subscriptions", other, "--yes", rules=there)
    deleted = " ".join(changes(calls))
    check("a subscription leaves the scope without the role's definition and the installation", code == 0 and f"/subscriptions/{other}/handler-assignment" in deleted and "role definition delete" not in deleted and f"/subscriptions/{sub}" not in deleted.replace(f"--subscription {sub}", "") and "--name rg-diskseal --yes" not in deleted, deleted)

    azd = {"AZURE_SUBSCRIPTION_ID": other, "AZURE_ENV_NAME": "dev", "DISKSEAL_DEPLOY_SUBSCRIPTIONS": other}
    down = [{"when": ["--method get", "/resourceGroups/rg-diskseal?"], "fails": "ResourceGroupNotFound"},
            {"when": ["--method get", "/eventSubscriptions/diskseal?"], "says": app.replace(sub, other) + "/functions/seal_on_write"}, *there]
    code, said, calls = run("remove.sh", "--azd", "--keep-group", "--yes", environment=azd, rules=down)
    deleted = " ".join(changes(calls))
    check("after azd down the rest goes, in azd's subscription", code == 0 and "eventSubscriptions/diskseal" in deleted and f"/subscriptions/{other}/handler-assignment" in deleted and "role definition delete" in deleted, said)
    check("... and nothing of the Azure CLI's", not any(sub in call for call in calls), [call for call in calls if sub in call])
    code, said, calls = run("remove.sh", "--azd", "--yes")
    check("... and without azd's environment nothing goes", code != 0 and not calls, said)
    code, said, calls = run("remove.sh", "--yes", rules=there, environment={"DISKSEAL_NAME": "theirs", "DISKSEAL_DEPLOY_NAME": "theirs", "DISKSEAL_SUBSCRIPTIONS": "x", "AZURE_SUBSCRIPTION_ID": other})
    check("variables of the shell do not choose what is removed", code == 0 and not any("theirs" in call and "rg-others" not in call for call in calls) and any(f"group delete --subscription {sub} --name rg-diskseal " in call for call in calls), calls)
    mg = [{"when": ["appsettings/list"], "says": "-\tmg"}, {"when": ["role assignment list --scope /providers/Microsoft.Management"], "says": "/mg-assignment"}]
    code, said, calls = run("remove.sh", "--yes", rules=[*mg, *there])
    deleted = " ".join(changes(calls))
    check("the role at the management group goes too", code == 0 and "--ids /mg-assignment" in deleted and "role definition delete --name Diskseal (diskseal, mg)" in deleted, deleted)
