"""Validates `diskseal report --all` by the published schema (jsonschema), and its findings by py-ocsf-models."""

import csv
import io
import json
import os
from collections import Counter
from pathlib import Path

import jsonschema
from judge import check
from py_ocsf_models import OCSF_VERSION
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.objects.cloud import Cloud


def read(form):
    return (Path(os.environ["JUDGE_TMP"]) / f"report.{form}").read_text()


def unknown(given, known, path=""):
    """The members that the model does not have, so that it has dropped them."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, value in given.items():
            if name not in known:
                yield f"{path}.{name}"
            else:
                yield from unknown(value, known[name], f"{path}.{name}")
    elif isinstance(given, list) and isinstance(known, list):
        for one, other in zip(given, known):
            yield from unknown(one, other, f"{path}[]")


# `compliance.status` is of the schema itself, and this version of the models has `status_id` alone. `cloud` is of the profile
# that the findings name, and has a model of its own.
NOT_IN_MODELS = {".compliance.status", ".cloud"}

report, findings = json.loads(read("json")), json.loads(read("ocsf"))
rows = list(csv.DictReader(io.StringIO(read("csv"))))
schema = json.loads((Path(os.environ["APP"]) / "docs/schemas/report-1.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
check("the report conforms to its schema", [], [fault.message[:200] for fault in validator.iter_errors(report)][:3])
check("a report without a member does not", True, lambda: not validator.is_valid({**report, "verdict": 1}))

models = [ComplianceFinding(**finding) for finding in findings]
check("each finding is a Compliance Finding", {2003}, {model.class_uid for model in models})
dropped = {path for finding, model in zip(findings, models) for path in unknown(finding, model.model_dump(mode="json"))}
check("the models know each member", set(), dropped - NOT_IN_MODELS)
clouds = [(finding["cloud"], Cloud(**finding["cloud"]).model_dump(mode="json")) for finding in findings]
check("the model of the cloud knows each of its members", set(), {path for given, known in clouds for path in unknown(given, known)})
check("the version is that of the models", {OCSF_VERSION}, {model.metadata.version for model in models})
check("type = class * 100 + activity", True, all(model.type_uid == model.class_uid * 100 + model.activity_id for model in models))
check("each finding has an ID of its own", len(models), len({model.finding_info.uid for model in models}))

total = report["totals"]["total"]
check("each resource is in every form", [total] * 3, [len(report["resources"]), len(rows), len(findings) // 2])
check("the forms have the same order", [row["id"] for row in rows], [row["id"] for row in report["resources"]])
order = ["unsealed", "pending", "exempt", "sealed"]
check("unsealed ones are first", True, lambda: [row["status"] for row in rows] == sorted((row["status"] for row in rows), key=order.index))
for check_of in report["checks"]:
    name = check_of["check"]
    verdicts = Counter(model.status_code for model in models if model.compliance.control == name)
    counted = {verdict: check_of["disk"][verdict] + check_of["snapshot"][verdict] for verdict in ("pass", "fail", "exempt", "unknown")}
    check(f"{name}: the totals are those of the findings", {k: v for k, v in counted.items() if v}, dict(verdicts))
requirements = {one for model in models for one in model.compliance.requirements or []}
controls = {f"{one['framework']} {one['version']} {one['number']}" for one in report["controls"]}
check("the findings name each control of the map", controls, requirements)
