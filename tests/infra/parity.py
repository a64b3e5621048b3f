"""Whether every way of installing has the same parameters, filters and commands, and the README says so."""

import json
import re

from kinds import literal, named, text
from rules import path

# What only one way has: azd and deploy.sh read both from their surroundings, the button builds no package.
TERRAFORM_ALONE = {"subscription_id", "cloud", "package"}
# What a person who uses the button is asked. The rest is for those who deploy from the repository.
ASKED = {"location", "mode", "subscriptions", "extraSettings", "alertEmails", "packageUri"}
# What the release workflow fills in.
FILLED = {"runbook"}
APP_ID = "data.claims.appid"


def snake(name):
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def variables(infra):
    """Name and text of each variable of Terraform."""
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', infra.read("infra/terraform/variables.tf"), re.M | re.S))


def required_by_bicep(infra):
    return {name for name, one in infra.by_name["main.bicep"].declarations.items() if one.kind == "param" and one.value is None}


def parity(infra):
    """main.bicep, Terraform, the form of the button and the README's table have the same parameters"""
    main = {name for name, one in infra.by_name["main.bicep"].declarations.items() if one.kind == "param"}
    terraform = variables(infra)
    faults = [f"terraform/variables.tf: nothing sets {name} of main.bicep" for name in sorted(main) if snake(name) not in terraform]
    wanted = {snake(name) for name in main} | TERRAFORM_ALONE
    faults += [f"terraform/variables.tf: main.bicep has no parameter {name}" for name in terraform if name not in wanted]
    given = set(infra.json("infra/createUiDefinition.json")["view"]["outputs"]["parameters"])
    faults += [f"createUiDefinition.json: {name} is {'not ' if name in ASKED else ''}asked" for name in sorted((given - FILLED) ^ ASKED)]
    faults += [f"createUiDefinition.json: does not ask for {name}, which is required" for name in sorted(required_by_bicep(infra) - given)]
    section = infra.read("infra/README.md").split("### Parameters")[1].split("\n### ")[0]
    listed = dict(re.findall(r"^(\| `(?:\w+)`.*)()$", section, re.M))
    rows = [row(infra.by_name["main.bicep"].declarations[name], name in given - FILLED) for name in infra.by_name["main.bicep"].declarations if name in main]
    faults += [f"infra/README.md: the table of parameters lacks {one}" for one in rows if one not in listed]
    faults += [f"infra/README.md: the table of parameters has {one}" for one in listed if one not in rows]
    return faults


def row(parameter, is_asked):
    """A parameter's row in the README."""
    default = "required" if parameter.value is None else text(parameter.value).strip("'")
    default = default if default in ("required", "", "{}", "[]") else f"`{default}`"
    default = "" if default in ("{}", "[]") else default
    words = literal(parameter.decorators["description"][0]) if "description" in parameter.decorators else ""
    cells = [f"`{parameter.name}`", f"`{snake(parameter.name)}`", "asked" if is_asked else "", default, words]
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def validated(infra):
    """each variable of Terraform that is no yes or no refuses wrong values, and a test gives it one"""
    refused = infra.read("infra/terraform/tests/installation.tftest.hcl")
    refused = set(re.findall(r"var\.(\w+)", " ".join(re.findall(r"expect_failures = \[(.*?)\]", refused, re.S))))
    faults = []
    for name, block in variables(infra).items():
        if re.search(r"^  type\s+= bool$", block, re.M):
            continue
        if "validation {" not in block:
            faults.append(f"terraform/variables.tf: {name} takes every value")
        elif name not in refused:
            faults.append(f"terraform/tests: no wrong value of {name} is tried")
    return faults


def own_writes(infra):
    """every way of installing drops the events of the handler's own writes, and of nobody else's"""
    faults = []
    filters = path(infra.by_name["modules/event-subscription.bicep"].declarations["writes"], "properties", "filter", "advancedFilters")
    wanted = f"operatorType: 'StringNotIn' key: '{APP_ID}' values: [ handlerClientId ]"
    if not any(wanted in " ".join(text(one).split()) for one in named(filters)):
        faults.append("modules/event-subscription.bicep: own writes are delivered")
    # "Understand event filtering": 25 filters, and 25 values in all of them.
    events = infra.json("infra/events.json")
    values = len(events["operations"]) + len(events["grants"]["operations"]) + 1
    if values > 25:
        faults.append(f"events.json: {values} values, and Event Grid takes 25")
    for module in ("alerts", "events"):
        handed = path(infra.by_name["main.bicep"].declarations[module], "params", "handlerClientId")
        if handed is None or text(handed) != "identities.outputs.hostClientId":
            faults.append(f"main.bicep: {module} gets another client ID than the handler's")
    if 'handlerClientId="$hostClientId"' not in infra.read("infra/steps.sh"):
        faults.append("steps.sh: events.bicep gets another client ID than the handler's")
    terraform = " ".join(infra.read("infra/terraform/events.tf").split())
    if f'operatorType = "StringNotIn" key = "{APP_ID}" values = [azurerm_user_assigned_identity.host.client_id]' not in terraform:
        faults.append("terraform/events.tf: own writes are delivered")
    policy = json.dumps(infra.json("infra/new-subscriptions.json"))
    if json.dumps({"operatorType": "StringNotIn", "key": APP_ID, "values": ["[parameters('handlerClientId')]"]}) not in policy:
        faults.append("new-subscriptions.json: own writes are delivered")
    if 'handlerClientId="$(az identity show -g rg-diskseal -n id-diskseal ' not in infra.read("docs/changing.md"):
        faults.append("docs/changing.md: the policy for new subscriptions gets another client ID than the handler's")
    return faults


def delivered(infra):
    """events.json delivers the operations that the code handles and that doctor asks for, grants of access only if asked"""
    source, events = infra.read("src/event.rs"), infra.json("infra/events.json")
    faults = []
    for name, found in (("OPERATIONS", events["operations"]), ("GRANTS", events["grants"]["operations"])):
        block = re.search(rf"pub const {name}: \[&str; \d+\] =\s*\[(.*?)\];", source, re.S)[1]
        code = re.findall(r'"([^"]+)"', block)
        faults += [f"events.json: {one} is {'missing' if one in code else 'not handled'}" for one in sorted(set(code) ^ set(found))]
    types = re.findall(r'pub const RESOURCE_(?:WRITE|ACTION)_SUCCESS: &str = "([^"]+)"', source)
    if sorted(types) != sorted(events["eventTypes"] + events["grants"]["eventTypes"]):
        faults.append("events.json: the types of events differ from those that the code handles")
    both = " ".join(f"{name}: concat(listed.{name}, listed.grants.{name})" for name in ("eventTypes", "operations"))
    for module in ("modules/event-subscription.bicep", "new-subscriptions.bicep"):
        if f"union( listed, grants ? {{ {both} }} : {{}} )" not in " ".join(infra.read(f"infra/{module}").split()):
            faults.append(f"{module}: grants are not delivered, or always")
    for name in ("eventTypes", "operations"):
        if f"concat(local.events.{name}, var.grants ? local.events.grants.{name} : [])" not in infra.read("infra/terraform/events.tf"):
            faults.append(f"terraform/events.tf: {name} of grants are not delivered, or always")
    for module, part in (("modules/role-definition.bicep", "includeRevoke ? role.optional.revoke : []"), ("role-management-group.bicep", "includeRevoke ? role.optional.revoke : []"),
                         ("terraform/main.tf", "var.revoke ? local.roles.optional.revoke : []")):
        if part not in infra.read(f"infra/{module}"):
            faults.append(f"{module}: the role may revoke SAS URLs although nobody asks for it, or never")
    for part in ('grants="$grants"', 'includeRevoke="$revoke"'):
        if part not in infra.read("infra/steps.sh"):
            faults.append(f"steps.sh: does not hand over {part.split('=')[0]}")
    return faults


def cases(infra):
    """every case of parameters gives what main.bicep requires"""
    required = required_by_bicep(infra)
    return [f"{case.name}: lacks {name}" for case in sorted((infra.repository / "tests/infra/parameters").glob("*.bicepparam"))
            for name in sorted(required - set(re.findall(r"^param (\w+) =", case.read_text(), re.M)))]


def ways(infra):
    """the README has at most two commands for each way of installing, with all that the way requires"""
    rows = dict(re.findall(r"^\| ([\w.`]+) \| (.*) \|$", infra.read("infra/README.md").split("| way | commands |")[1].split("\n\n")[0], re.M))
    of_bicep = required_by_bicep(infra)
    of_terraform = {name for name, block in variables(infra).items() if not re.search(r"^  default\s+=", block, re.M)}
    # azd and the portal ask for what has no value.
    needed = {"`deploy.sh`": {f"{name}=" for name in of_bicep} | {"--location "}, "azd": {"azd up"}, "button": {"Deploy to Azure"},
              "Terraform": {f"{name}=" for name in of_terraform} | {"package_uri="}, "ARM": {f"{name}=" for name in of_bicep} | {"packageUri="}}
    faults = [f"infra/README.md: no way {name}" for name in needed if name not in rows]
    for name, row in rows.items():
        commands = [one for one in re.findall(r"`([^`]+)`", row) if " " in one]
        if len(commands) > 2:
            faults.append(f"infra/README.md: {name} takes {len(commands)} commands")
        faults += [f"infra/README.md: the command of {name} lacks {part}" for part in sorted(needed.get(name, ())) if part not in row]
    return faults


RULES = [parity, validated, own_writes, delivered, cases, ways]
