"""Checks what Azure refuses and the types do not show, and what the parameters come to."""

import json
import re

from bicep import loops, peel
from evaluate import Refused, allowed, evaluate
from kinds import literal, named, text

HERE = {"here": "c", "subscription().subscriptionId": "c", "subscription().id": "/subscriptions/c"}
# Site properties that Flex Consumption refuses with "51021" where its stamps enforce it, and settings that it ignores.
NOT_ON_FLEX = ("ftpsState", "linuxFxVersion", "alwaysOn", "use32BitWorkerProcess", "functionAppScaleLimit", "minimumElasticInstanceCount", "netFrameworkVersion")


def condition_of(declaration):
    """The condition of a resource or module, or None."""
    node = declaration.value
    while node.type in ("for_statement", "if_statement"):
        if node.type == "if_statement":
            return named(node)[0]
        node = node.child_by_field_name("body") or named(node)[-1]
    return None


def path(declaration, *names):
    """The value of a member of a resource, by its path."""
    from bicep import properties

    node = declaration.body()
    for name in names:
        node = next((one.node for one in properties(peel(node)) if one.name == name), None)
        if node is None:
            return None
    return node


def made(file, name, values):
    """Whether a deployment with these parameters makes the resource or module."""
    condition = condition_of(file.declarations[name])
    return condition is None or bool(evaluate(file, condition, values))


def flex(infra):
    """the app has no property that Flex Consumption refuses"""
    faults = []
    for name in ("infra/modules/function.bicep", "infra/terraform/function.tf"):
        source = infra.read(name)
        faults += [f"{name}: {one} is refused by Flex Consumption" for one in NOT_ON_FLEX if re.search(rf"^\s*{one}\b", source, re.M | re.I)]
    app = infra.by_name["modules/function.bicep"]
    for cloud, wanted in (("AzureCloud", True), ("AzureChinaCloud", False)):
        calls = [one for one in named(app.declarations["settings"].value.child_by_field_name("arguments")) if "__accountName" in text(one)]
        condition = calls[0].child_by_field_name("condition") if calls and calls[0].type == "ternary_expression" else None
        has = bool(calls) and (condition is None or not evaluate(app, condition, {"environment().name": cloud}))
        if has != wanted:
            faults.append(f"modules/function.bicep: in {cloud} the setting AzureWebJobsStorage__accountName is {'made' if has else 'missing'}")
    if "AzureWebJobsStorage__accountName" not in infra.read("infra/terraform/function.tf"):
        faults.append("terraform/function.tf: the setting AzureWebJobsStorage__accountName is missing")
    return faults


def deployment_names(infra):
    """no nested deployment has a fixed name, which binds it to a region"""
    return [f"{one.file.name}:{one.line}: {one.name} has a fixed name" for one in infra.declarations("module") if one.member("name") is not None]


def scopes(infra):
    """an empty element of subscriptions is refused, one that occurs twice counts once, and the default is the installation's"""
    faults = []
    for entry in ("main.bicep", "events.bicep"):
        file = infra.by_name[entry]
        for given, wanted in (("a", ["a"]), ("A, b", ["a", "b"]), ("a,A,b,a", ["a", "b"]), ("a,", None), (",", None), ("a,,b", None), (" ", None), ("", ["c"] if entry == "main.bicep" else None)):
            try:
                found = evaluate(file, file.declarations["inScope"].value, {**HERE, "subscriptions": given})
            except Refused:
                found = None
            if found != wanted:
                faults.append(f"{entry}: subscriptions={given!r} is {found}, and should be {wanted or 'refused'}")
    main = infra.by_name["main.bicep"]
    for module in ("role", "exporterRole"):
        scope = main.declarations[module].member("scope")
        if scope is None or text(scope) != "subscription(inScope[0])":
            faults.append(f"main.bicep: {module} is defined outside of the scopes that it can be assigned in")
    for module in ("modules/role-definition.bicep", "modules/exporter-role.bicep"):
        if "subscription()" in text(infra.by_name[module].declarations["definition"].member("name")):
            faults.append(f"{module}: the role's ID changes with the scope")
    return faults


def loop_sizes(infra):
    """a management group of more than 800 subscriptions needs no loop over them"""
    file = infra.by_name["main.bicep"]
    many = [f"s{i}" for i in range(801)]
    defaults = {**HERE, "inScope": many, "managementGroup": "mg", "exporters": [], "assignDiskPolicy": False, "snapshotPolicy": "Off", "packageUri": ""}
    faults = []
    for one in file.declarations.values():
        for loop in loops(one.value) if one.kind == "module" else ():
            length = len(evaluate(file, named(loop)[1], defaults))
            if length > 800:
                faults.append(f"main.bicep:{one.line}: {one.name} loops {length} times, and Resource Manager ends at 800")
    return faults


def switch(infra):
    """no deployment rewrites the tags of the resource that is the switch, and the handler can read them"""
    main, app = infra.by_name["main.bicep"], infra.by_name["modules/function.bicep"]
    faults = []
    if "onlyIfNotExists" not in main.declarations["group"].decorators:
        faults.append("main.bicep: each deployment replaces the tags of the resource group, and with them the switch")
    setting = re.search(r"DISKSEAL_SWITCH: (.*)", app.source.decode())[1]
    if setting != "resourceGroup().id":
        faults.append(f"modules/function.bicep: the switch is {setting}, whose tags each deployment replaces")
    reader = main.declarations.get("groupReader")
    if reader is None or condition_of(reader) is not None:
        faults.append("main.bicep: the handler's identity is not always Reader on the resource group")
    terraform = infra.read("infra/terraform/main.tf")
    group = terraform[terraform.index('resource "azurerm_resource_group"'):].split("\n}\n")[0]
    if 'ignore_changes = [tags["diskseal"]]' not in group:
        faults.append("terraform/main.tf: an apply removes the tag diskseal of the resource group")
    if not re.search(r"DISKSEAL_SWITCH\s+= azurerm_resource_group.this.id", infra.read("infra/terraform/function.tf")):
        faults.append("terraform/function.tf: the switch is not the resource group")
    return faults


def audit(infra):
    """policies act in enforce mode only, and remediate existing disks only without the backup guard"""
    file = infra.by_name["modules/policy.bicep"]
    faults = []
    for mode in allowed(infra.by_name["main.bicep"], "mode"):
        for guard in allowed(infra.by_name["main.bicep"], "backupGuard"):
            values = {"mode": mode, "backupGuard": guard, "assignDiskPolicy": True, "snapshotPolicy": "Modify"}
            where = f"modules/policy.bicep: with mode={mode} backupGuard={guard}"
            for kind in ("disks", "snapshots"):
                found = evaluate(file, path(file.declarations[kind], "properties", "enforcementMode"), values)
                if found != ("Default" if mode == "enforce" else "DoNotEnforce"):
                    faults.append(f"{where} the policy for {kind} is {found}")
                is_remediated = made(file, f"{kind}Remediation", values)
                if is_remediated != (mode == "enforce" and guard == "off"):
                    faults.append(f"{where} existing {kind} are {'remediated' if is_remediated else 'not remediated'}")
    for kind in ("disks", "snapshots"):
        discovery = path(file.declarations[f"{kind}Remediation"], "properties", "resourceDiscoveryMode")
        if discovery is None or text(discovery) != "'ReEvaluateCompliance'":
            faults.append(f"modules/policy.bicep: the remediation of {kind} looks at nothing, because nothing is known to be non-compliant")
        principal = path(file.declarations[f"{kind}Role"], "params", "principalId")
        if principal is None or f"{kind}!.identity.principalId" not in text(principal):
            faults.append(f"modules/policy.bicep: the name of the role assignment for {kind} leaves out whose it is")
    given = infra.by_name["main.bicep"].declarations["policies"]
    for name in ("mode", "backupGuard"):
        handed = path(given, "params", name)
        if handed is None or text(handed) != name:
            faults.append(f"main.bicep: the policies do not know {name}")
    return faults


def one_deployment(infra):
    """with packageUri one deployment makes everything, the event subscriptions last; without it deploy.sh makes them"""
    file = infra.by_name["main.bicep"]
    faults = []
    for uri in ("", "https://example.com/app.zip"):
        for module in ("code", "events"):
            if made(file, module, {"packageUri": uri}) != bool(uri):
                faults.append(f"main.bicep: with packageUri={uri!r} {module} is {'missing' if uri else 'made'}")
    extension = infra.by_name["modules/code.bicep"].declarations["package"]
    if text(extension.member("name")) != "'onedeploy'":
        faults.append("modules/code.bicep: the extension is not One Deploy, the only one of Flex Consumption")
    return faults


def limits(infra):
    """limits of parameters are those of Flex Consumption, and those of Terraform the same"""
    main = infra.by_name["main.bicep"].declarations["maximumInstances"]
    bounds = [int(text(main.decorators[one][0])) for one in ("minValue", "maxValue")]
    faults = [] if bounds == [1, 1000] else [f"main.bicep: maximumInstances is from {bounds[0]} to {bounds[1]}, and Flex Consumption takes 1 to 1000"]
    block = re.search(r'variable "maximum_instances" \{(.*?)\n\}\n', infra.read("infra/terraform/variables.tf"), re.S)[1]
    if f"default     = {text(main.value)}\n" not in block or ">= 1 " not in block or "<= 1000" not in block:
        faults.append("terraform/variables.tf: maximum_instances differs from main.bicep")
    for name in ("infra/modules/function.bicep", "infra/terraform/function.tf"):
        if not re.search(r"perInstanceConcurrency\s*[:=] 100\b", infra.read(name)):
            faults.append(f"{name}: the concurrency of an instance is left to a default of a few events")
    return faults


def new_subscriptions(infra):
    """the policy for new subscriptions makes the same topic and event subscription"""
    def flat(node):
        from bicep import properties

        if node.type == "object":
            return {one.name: flat(one.node) for one in properties(node)}
        if node.type == "array":
            return [flat(one) for one in named(node)]
        return text(node).strip("'")

    own = {"resourceId": {"functionId": "[parameters('functionId')]", "storageAccountId": "[parameters('storageAccountId')]"}}

    def alike(bicep_value, template):
        if isinstance(bicep_value, dict):
            return isinstance(template, dict) and bicep_value.keys() == template.keys() and all(alike(one, template[key]) for key, one in bicep_value.items())
        if isinstance(bicep_value, list):
            return isinstance(template, list) and len(bicep_value) == len(template) and all(map(alike, bicep_value, template))
        if bicep_value in own["resourceId"]:
            return template == own["resourceId"][bicep_value]
        if bicep_value.startswith("events."):
            return template == f"[parameters('events').{bicep_value[7:]}]"
        return bicep_value in (str(template).lower(), str(template)) or template in (f"[parameters('{bicep_value}')]", f"[parameters('events').{bicep_value}]")

    faults = []
    template = infra.json("infra/new-subscriptions.json")
    topic, subscription = template["resources"][1]["properties"]["template"]["resources"]
    mine = flat(path(infra.by_name["modules/event-subscription.bicep"].declarations["writes"], "properties"))
    for name, one in mine.items():
        if not alike(one, subscription["properties"].get(name)):
            faults.append(f"new-subscriptions.json: {name} of the event subscription differs from modules/event-subscription.bicep")
    of_bicep = infra.by_name["modules/system-topic.bicep"].declarations["topic"].target
    if f"{topic['type']}@{topic['apiVersion']}" != of_bicep or topic["properties"] != {"source": "[subscription().id]", "topicType": "[parameters('events').topicType]"}:
        faults.append("new-subscriptions.json: the topic differs from modules/system-topic.bicep")
    given = set(re.findall(r"^                (\w+): \{$", infra.read("infra/new-subscriptions.bicep"), re.M))
    if given != set(template["parameters"]):
        faults.append(f"new-subscriptions.bicep: hands over {', '.join(sorted(given))}, and the template takes {', '.join(template['parameters'])}")
    return faults


def forms(infra):
    """the form of the button, and the cases of parameters, give declared parameters with allowed values"""
    main = infra.by_name["main.bicep"]
    known = {name for name, one in main.declarations.items() if one.kind == "param"}
    form = infra.json("infra/createUiDefinition.json")["view"]
    given = form["outputs"]["parameters"]
    faults = [f"createUiDefinition.json: main.bicep has no parameter {name}" for name in given if name not in known]
    faults += [f"createUiDefinition.json: does not set {name}" for name in ("location", "mode", "subscriptions", "extraSettings", "alertEmails", "packageUri") if name not in given]
    elements = {one["name"]: one for step in form["properties"]["steps"] for one in step["elements"]}
    modes = [one["value"] for one in elements["mode"]["constraints"]["allowedValues"]]
    if sorted(modes) != sorted(allowed(main, "mode")):
        faults.append(f"createUiDefinition.json: mode may be {', '.join(modes)}")
    if not elements["mode"]["defaultValue"].startswith("audit"):
        faults.append("createUiDefinition.json: the default mode is not audit")
    for name in set(re.findall(r"steps\('basics'\)\.(\w+)", json.dumps(given))) - set(elements):
        faults.append(f"createUiDefinition.json: no element {name}")
    pattern = re.compile(elements["subscriptions"]["constraints"]["regex"])
    sample = "11111111-1111-1111-1111-111111111111"
    if pattern.search(f"{sample},") or not pattern.search(f"{sample}, {sample}") or not pattern.search(""):
        faults.append("createUiDefinition.json: subscriptions takes an empty element, or refuses a list")
    cases = sorted((infra.repository / "tests/infra/parameters").glob("*.bicepparam"))
    for case in cases:
        names = re.findall(r"^param (\w+) =", case.read_text(), re.M)
        faults += [f"{case.name}: main.bicep has no parameter {name}" for name in names if name not in known]
    if not cases:
        faults.append("tests/infra/parameters: there is no case")
    return faults


def evidence(infra):
    """evidence is off by default, its files cannot be changed for the days that are set, and the handler has a role on the container alone"""
    main, file = infra.by_name["main.bicep"], infra.by_name["modules/evidence.bicep"]
    faults = [f"main.bicep: with evidenceDays={days} the container is {'missing' if days else 'made'}" for days in (0, 1) if made(main, "evidence", {"evidenceDays": days}) != bool(days)]
    if text(main.declarations["evidenceDays"].value) != "0":
        faults.append("main.bicep: evidence is on by default")
    days = path(file.declarations["policy"], "properties", "immutabilityPeriodSinceCreationInDays")
    if days is None or text(days) != "days" or text(file.declarations["policy"].member("parent")) != "evidence":
        faults.append("modules/evidence.bicep: the policy of the container is another")
    for one in file.declarations.values():
        if one.kind == "resource" and "/roleassignments@" in one.target.lower():
            if text(one.member("scope")) != "evidence" or "storageBlobDataContributor" not in text(path(one, "properties", "roleDefinitionId")):
                faults.append("modules/evidence.bicep: the role is not Storage Blob Data Contributor on the container alone")
    terraform = infra.read("infra/terraform/evidence.tf")
    if terraform.count("var.evidence_days > 0 ? 1 : 0") != 4 or "scope              = azurerm_storage_container.evidence[0].id" not in terraform:
        faults.append("terraform/evidence.tf: it is on by default, or the role is not on the container alone")
    return faults


def example(infra):
    """the example of outcomes has no key, no secret and the queue of the functions"""
    file = infra.by_name["examples/outcome-mail.bicep"]
    source = file.source.decode()
    faults = [f"examples/outcome-mail.bicep: {word}" for word in ("listKeys", "sharedKey", "@secure") if word.lower() in source.lower()]
    if literal(file.declarations["queue"].value) not in infra.json("infra/events.json")["queues"]:
        faults.append("examples/outcome-mail.bicep: no function writes to its queue")
    if "managedIdentityAuth" not in source or "ManagedServiceIdentity" not in source:
        faults.append("examples/outcome-mail.bicep: the queues are not read by identity")
    return faults


RULES = [evidence, example, flex, deployment_names, scopes, loop_sizes, switch, audit, one_deployment, limits, new_subscriptions, forms]
