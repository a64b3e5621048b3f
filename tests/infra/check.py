"""Checks infra/ against Azure's published types, against itself, and against the code.

    check.py REPOSITORY DEFINITIONS.JSON

Prints one line per check: "ok   infra: what", or "FAIL infra: what — where and why". Exit code 1 if any fails.
"""

import json
import re
import sys
from pathlib import Path

import bicep
from kinds import PRIMITIVES, cases, literal, named, text
from rules import RULES
from definitions import Definitions
from form import form
from parity import RULES as PARITY
from watched import watched

# Those that deploy.sh deploys, and what is optional: a policy, and an example.
ENTRIES = ["main.bicep", "events.bicep", "role-management-group.bicep"]
OPTIONAL = ["new-subscriptions.bicep", "examples/outcome-mail.bicep"]


class Infrastructure:
    def __init__(self, repository, definitions):
        self.repository = Path(repository).resolve()
        self.root = self.repository / "infra"
        self.definitions = Definitions(Path(definitions))
        self.files = {}
        for entry in ENTRIES + OPTIONAL:
            bicep.load(self.root / entry, self.root, self.definitions, self.files)
        self.by_name = {file.name: file for file in self.files.values()}

    def read(self, path):
        return (self.repository / path).read_text()

    def json(self, path):
        return json.loads(self.read(path))

    def declarations(self, kind):
        return [one for file in self.files.values() for one in file.declarations.values() if one.kind == kind]


# --- Bicep -------------------------------------------------------------------------------------------------------


def syntax(infra):
    """every Bicep file parses, and is used"""
    faults = [fault for file in infra.files.values() for fault in file.faults]
    used = set(infra.files)
    faults += [f"{path.relative_to(infra.root)}: no other file uses it" for path in bicep.bicep_files(infra.root) if path.resolve() not in used]
    return faults


def resources(infra):
    """types, versions, members, values and required members of every resource, by Azure's published definitions"""
    faults = []
    for one in infra.declarations("resource"):
        before = len(one.file.faults)
        infra.definitions.check(one.file, one)
        parent = one.member("parent")
        is_nested = one.target.split("@")[0].count("/") > 1
        if is_nested and parent is None:
            one.file.fault(one.node, f"{one.name} has no parent")
        faults += one.file.faults[before:]
    return faults


def expressions(infra):
    """every name is declared, every output exists, every parameter and variable is used"""
    faults = []
    for file in infra.files.values():
        before = len(file.faults)
        for one in list(file.declarations.values()) + list(file.outputs.values()):
            if one.kind in ("resource", "module"):
                env = {}
                for loop in bicep.loops(one.value):
                    env, _ = file.loop(loop, env)
                for condition in conditions(one.value):
                    file.infer(condition, env)
                file.infer(one.body(), env)
            elif one.value is not None:
                kind = file.infer(one.value, {})
                expected = PRIMITIVES.get(one.declared) if one.declared else None
                if expected and any(case["k"] not in (expected["k"], "any", "schema") for case in cases(kind)):
                    file.fault(one.node, f"{one.name} is declared {one.declared}, and is {kind['k']}")
        faults += file.faults[before:]
        for one in file.declarations.values():
            if one.kind in ("param", "var") and not one.is_used:
                faults.append(f"{file.name}:{one.line}: {one.name} is used nowhere")
    return faults


def conditions(node):
    while node.type in ("for_statement", "if_statement"):
        if node.type == "if_statement":
            yield named(node)[0]
        node = node.child_by_field_name("body") or named(node)[-1]


def parameters(infra):
    """modules receive the parameters that they declare, with the right type and scope"""
    faults = []
    for module in infra.declarations("module"):
        file, callee = module.file, module.file.modules.get(module.name)
        if callee is None:
            continue
        before = len(file.faults)
        env = {}
        for loop in bicep.loops(module.value):
            env, _ = file.loop(loop, env)
        node = module.member("params")
        given = {one.name: one.node for one in bicep.properties(node)} if node is not None else {}
        wanted = {one.name: one for one in callee.declarations.values() if one.kind == "param"}
        for name, value in given.items():
            if name not in wanted:
                file.fault(value, f"{callee.name} has no parameter {name}, but {', '.join(wanted)}")
                continue
            expected = callee.type_of(wanted[name])
            allowed = [one["v"] for one in cases(expected) if "v" in one]
            for one in cases(file.infer(value, env)):
                if one["k"] not in ("any", "schema") and one["k"] not in {case["k"] for case in cases(expected)}:
                    file.fault(value, f"{name} of {callee.name} is {wanted[name].declared}, not {one['k']}")
                elif allowed and "v" in one and one["v"] not in allowed:
                    file.fault(value, f"{name} of {callee.name} is one of {', '.join(map(str, allowed))}, not {one['v']}")
        for name, one in wanted.items():
            if one.value is None and name not in given:
                file.fault(module.node, f"{callee.name} wants the parameter {name}")
        scope = scope_of(file, module)
        if scope != callee.target_scope:
            file.fault(module.node, f"{callee.name} is for a {callee.target_scope}, not for a {scope}")
        faults += file.faults[before:]
    return faults


def scope_of(file, module):
    node = module.member("scope")
    if node is None:
        return file.target_scope
    if node.type == "call_expression":
        return text(node.child_by_field_name("function"))
    target = file.declarations.get(text(node))
    return "resourceGroup" if target is not None and target.target and "/resourcegroups@" in target.target.lower() else "nothing known"


def references(node):
    """The names in a subtree."""
    if node.type == "identifier":
        yield text(node)
    for child in node.children:
        yield from references(child)


def waits_for(file, name):
    """All declarations that a resource or module depends on, directly or indirectly."""
    seen, todo = set(), [name]
    while todo:
        declaration = file.declarations.get(todo.pop())
        if declaration is None or declaration.value is None:
            continue
        for one in references(declaration.value):
            if one in file.declarations and one not in seen:
                seen.add(one)
                todo.append(one)
    return seen


# Dependencies without a reference in the file, each with the reason in Azure.
ORDER = [
    ("main.bicep", "function", "storage", "the host starts with its storage"),
    ("main.bicep", "function", "endpoints", "the host's storage is behind them"),
    ("main.bicep", "code", "function", "the code needs its app"),
    ("main.bicep", "events", "code", "Event Grid refuses a function that does not exist"),
    ("main.bicep", "events", "storage", "Event Grid refuses a container that does not exist"),
    ("modules/subscription-events.bicep", "events", "topic", "an event subscription lives in its topic"),
    ("modules/subscription-events.bicep", "topic", "group", "a topic lives in its group"),
    ("modules/policy.bicep", "disksRemediation", "disksRole", "a remediation works by the role of the policy's identity"),
    ("modules/policy.bicep", "snapshotsRemediation", "snapshotsRole", "a remediation works by the role of the policy's identity"),
    ("modules/storage.bicep", "queues", "queueService", "a queue lives in its service"),
]


def order(infra):
    """resources wait for their dependencies, and the event subscription comes after the code"""
    faults = []
    for name, later, earlier, reason in ORDER:
        file = infra.by_name[name]
        if earlier not in waits_for(file, later):
            faults.append(f"{name}: {later} does not wait for {earlier}: {reason}")
    # Everything that main.bicep makes without waiting for the code.
    main = infra.by_name["main.bicep"]
    early = {}
    for module in main.modules:
        if "code" not in waits_for(main, module):
            bicep.load(main.modules[module].path, infra.root, infra.definitions, early)
    for file in early.values():
        for one in file.declarations.values():
            if one.kind == "resource" and "eventsubscriptions@" in one.target.lower():
                faults.append(f"{file.name}:{one.line}: an event subscription before the code is there: Event Grid refuses it")
    script = infra.read("infra/steps.sh")
    steps = ["main.bicep", "deployment source config-zip", "syncfunctiontriggers", "wait_for_function", "events.bicep"]
    # The first installation; an update brings the code before this.
    body = script[script.rfind("        deploy_infrastructure\n"):]
    calls = ["deploy_infrastructure", "keep_switch", "read_outputs", "assign_at_management_group", "deploy_code", "wait_for_function", "deploy_events"]
    at = [body.find(call) for call in calls]
    if -1 in at or at != sorted(at):
        faults.append(f"infra/steps.sh: the steps are not in the order {' → '.join(calls)}")
    faults += [f"infra/steps.sh: nothing about {step}" for step in steps if step not in script]
    return faults


def handed_over(infra):
    """scripts and azd pass declared parameters, all required ones, and read existing outputs"""
    faults = []
    script = infra.read("infra/steps.sh")
    calls = re.findall(r"--template-file infra/(\S+)\s*\\?\s*--parameters\s+((?:.|\n)*?)\n(?:\}|\s*\n|        i=)", script)
    given = {name: set(re.findall(r"(?<![\w$])(\w+)=", text)) for name, text in calls}
    for entry in ENTRIES:
        if entry not in given:
            faults.append(f"infra/steps.sh: nothing is handed over to {entry}")
            continue
        # What parameters.py writes comes in a file, and deploy.sh asks for what that must have.
        demanded = set(re.findall(r'fail "(\w+) is required', infra.read("infra/deploy.sh"))) if entry == "main.bicep" else set()
        faults += against(infra.by_name[entry], given[entry] | demanded, f"infra/steps.sh for {entry}")
    found = infra.json("infra/main.parameters.json")["parameters"]
    faults += against(infra.by_name["main.bicep"], set(found), "infra/main.parameters.json")
    main = infra.by_name["main.bicep"].declarations
    faults += [f"infra/main.parameters.json: azd cannot set {name}" for name, one in main.items() if one.kind == "param" and name not in found]
    for name, one in found.items():
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        if one["value"] not in (f"${{DISKSEAL_DEPLOY_{snake}}}", "${AZURE_LOCATION}"):
            faults.append(f"infra/main.parameters.json: {name} is not DISKSEAL_DEPLOY_{snake} alone; defaults stand in main.bicep")
    settings = infra.read("infra/parameters.py")
    faults += [f"infra/parameters.py: main.bicep has no parameter {name}" for name in re.findall(r'"(\w+)": "DISKSEAL_', settings) if name not in main]
    names = re.search(r"local names=\(([^)]*)\)", script)[1].split()
    faults += [f"infra/steps.sh: main.bicep has no output {name}" for name in names if name not in infra.by_name["main.bicep"].outputs]
    return faults


def against(file, given, who):
    wanted = {one.name: one for one in file.declarations.values() if one.kind == "param"}
    faults = [f"{who}: {file.name} has no parameter {name}" for name in sorted(given - set(wanted))]
    return faults + [f"{who}: {name} is wanted" for name, one in wanted.items() if one.value is None and name not in given]


# --- the code ----------------------------------------------------------------------------------------------------


def functions(infra):
    """function, queues and settings match function-definitions and host.json"""
    events = infra.json("infra/events.json")
    app = infra.by_name["modules/function.bicep"]
    settings = app_settings(app)
    faults = []
    folders = {path.parent.name: json.loads(path.read_text()) for path in infra.repository.glob("function-definitions/*/function.json")}
    trigger = [b["type"] for b in folders.get(events["function"], {"bindings": []})["bindings"] if b["direction"] == "in"]
    if trigger != ["eventGridTrigger"]:
        faults.append(f"infra/events.json: {events['function']} is not a function with an eventGridTrigger")
    used = {b["queueName"] for one in folders.values() for b in one["bindings"] if "queueName" in b}
    received = {b["queueName"] for one in folders.values() for b in one["bindings"] if b["type"] == "queueTrigger"}
    wanted = sorted(used | {f"{queue}-poison" for queue in received})
    if sorted(events["queues"]) != wanted:
        faults.append(f"infra/events.json: the queues are {', '.join(events['queues'])}, those of the functions {', '.join(wanted)}")
    for folder, one in folders.items():
        for binding in one["bindings"]:
            connection = binding.get("connection")
            if connection and not any(name.startswith(f"{connection}__") for name in settings):
                faults.append(f"function-definitions/{folder}: no setting {connection}__… is made")
            for name in re.findall(r"%(\w+)%", json.dumps(binding)):
                if name not in settings:
                    faults.append(f"function-definitions/{folder}: no setting {name} is made")
    for name in ("FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE", "AzureWebJobsStorage"):
        if name in settings:
            faults.append(f"modules/function.bicep: {name} has no place on Flex Consumption without keys")
    if "customHandler" not in infra.json("host.json"):
        faults.append("host.json: no custom handler, which the runtime of modules/function.bicep is for")
    return faults


def app_settings(app):
    """The names of the settings in function.bicep."""
    kind = app.type_of(app.declarations["settings"])
    return set(kind["m"])


def settings(infra):
    """the code reads every setting of Diskseal and accepts its values"""
    faults = []
    rows = re.findall(r"^\| `(\w+)` \| `--[\w-]+` \| ([^|]+) \|", infra.read("docs/settings.md"), re.M)
    table = {name: sorted(re.findall(r"`([^`]+)`", values)) for name, values in rows}
    source = "\n".join(path.read_text() for path in infra.repository.glob("src/**/*.rs"))
    app = infra.by_name["modules/function.bicep"]
    for name in sorted(app_settings(app)):
        if name.startswith("DISKSEAL_") or name == "AZURE_CLIENT_ID":
            if f'"{name}"' not in source:
                faults.append(f"modules/function.bicep: the code reads no {name}")
    of_terraform = set(re.findall(r"\b(DISKSEAL_\w+|OTEL_\w+|AZURE_CLIENT_ID|AzureWebJobsStorage__\w+|APPLICATIONINSIGHTS_\w+)\s*=", infra.read("infra/terraform/function.tf").split("provisioner")[0]))
    for name in sorted(of_terraform ^ app_settings(app)):
        faults.append(f"infra: {name} is a setting of {'Terraform' if name in of_terraform else 'Bicep'} alone")
    main = infra.by_name["main.bicep"]
    for parameter, name in (("mode", "DISKSEAL_MODE"), ("backupGuard", "DISKSEAL_BACKUP_GUARD")):
        given = sorted(one["v"] for one in cases(main.type_of(main.declarations[parameter])))
        if given != table.get(name):
            faults.append(f"main.bicep: {parameter} may be {', '.join(given)}, and {name} {table.get(name)}")
    clouds = sorted(one["v"] for one in app.type_of(app.declarations["clouds"])["m"].values())
    if clouds != table.get("DISKSEAL_CLOUD"):
        faults.append(f"modules/function.bicep: the clouds are {', '.join(clouds)}, and DISKSEAL_CLOUD's {table.get('DISKSEAL_CLOUD')}")
    schedule = literal(main.declarations["sweepSchedule"].value)
    if len(schedule.split()) != 6:
        faults.append(f"main.bicep: sweepSchedule {schedule!r} has not six fields")
    return faults


def role(infra):
    """the role has the actions that the code needs, and the README lists every action with the reason"""
    found = infra.json("infra/role-actions.json")
    actions = found["actions"]
    optional = [action for group in found["optional"].values() for action in group]
    faults = [f"infra/role-actions.json: {action} is not a single action" for action in actions + optional if "*" in action]
    faults += [f"infra/role-actions.json: {action} occurs twice" for action in set(actions) if actions.count(action) > 1]
    asked = set(re.findall(r'"(Microsoft\.\w+/[\w/]+/(?:read|write))"', infra.read("src/doctor/permissions.rs")))
    faults += [f"infra/role-actions.json: {action} is missing, but doctor checks it" for action in sorted(asked - set(actions + optional))]
    readme = infra.read("infra/README.md")
    listed = set(re.findall(r"^\| `(Microsoft\.[\w./]+/(?:read|write|action))` \|", readme, re.M))
    wanted = set(actions + optional + found["exporter"]["dataActions"])
    faults += [f"infra/README.md: nothing about {action}" for action in sorted(wanted - listed)]
    faults += [f"infra/README.md: lists {action}, which no role has" for action in sorted(listed - wanted)]
    data = found["exporter"]["dataActions"]
    faults += [f"infra/role-actions.json: the handler's role has {action}" for action in data if action in actions + optional]
    for path in [*infra.root.rglob("*.bicep"), *infra.root.rglob("*.tf")]:
        for action in re.findall(r"'(Microsoft\.\w+/\w+/(?:read|write|action|delete))'|\"(Microsoft\.\w+/\w+/(?:read|write|action|delete))\"", path.read_text()):
            faults.append(f"{path.relative_to(infra.repository)}: {''.join(action)} is outside role-actions.json")
    return faults


def documented(infra):
    """the README lists every resource type"""
    readme = infra.read("infra/README.md").lower()
    kinds = sorted({one.target.split("@")[0] for one in infra.declarations("resource") if not one.is_existing})
    return [f"infra/README.md: nothing about {kind}" for kind in kinds if f"`{kind.lower()}`" not in readme]


CHECKS = [syntax, resources, expressions, parameters, order, handed_over, functions, settings, role, documented, *RULES, *PARITY, watched, form]


def main():
    infra = Infrastructure(*sys.argv[1:3])
    failed = 0
    for check in CHECKS:
        what = check.__doc__
        # A file that cannot be parsed cannot be checked further.
        faults = check(infra)
        for fault in faults:
            print(f"FAIL infra: {what} — {fault}")
        if not faults:
            print(f"ok   infra: {what}")
        failed += len(faults)
        if check is syntax and faults:
            break
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
