"""Whether an installation is watched: where its telemetry goes, who gets its alerts, and which alerts can work."""

import json
import re


def watched(infra):
    """traces, metrics and logs arrive, alerts have a recipient and a link, and those that cannot work are off"""
    faults = []
    main, alerts, ingestion = (infra.read(f"infra/{name}.bicep") for name in ("main", "modules/alerts", "modules/ingestion"))
    needed = [
        ("main.bicep", main, "empty(alertEmails) ? fail(", "alerts without a recipient are not refused"),
        ("main.bicep", main, "param ingestion bool = true", "a default installation sends no telemetry"),
        ("modules/alerts.bicep", alerts, "enabled: rule.needsTraces ? hasTraces : true", "alerts that need traces are on without them"),
        ("modules/alerts.bicep", alerts, "Runbook: ${replace(rule.runbook, 'docs/runbook.md', runbook)}", "the mail does not link to the runbook"),
    ]
    faults += [f"{name}: {fault}" for name, text, words, fault in needed if words not in " ".join(text.split())]
    for signal in ("traces", "metrics", "logs"):
        if f"otlpIngestion!.outputs.{signal}" not in main:
            faults.append(f"main.bicep: the handler does not get the address of {signal}")
    streams = {"Microsoft-OTLP-Traces/otlp/v1/traces", "Microsoft-OTLP-Logs/otlp/v1/logs", "Custom-Metrics-Otel/otlp/v1/metrics"}
    for name, text in (("modules/ingestion.bicep", ingestion), ("terraform/ingestion.tf", infra.read("infra/terraform/ingestion.tf"))):
        faults += [f"{name}: no address ends with {stream}" for stream in sorted(streams) if f"/{stream}" not in text]
    for name, text in (("modules/alerts.bicep", alerts), ("terraform/monitoring.tf", infra.read("infra/terraform/monitoring.tf"))):
        # Own writes raise no event, so an alert that counts events without a delivery must know whose they are.
        if "__HANDLER_CLIENT_ID__" not in text:
            faults.append(f"{name}: the queries do not know the handler's own writes")
        if not re.search(r"severity\s*[:=] ['\"]Sev\$\{", text) or "Diskseal" not in text:
            faults.append(f"{name}: the alert does not name product and severity")
    rules = json.loads(infra.read("infra/monitoring/alerts.json"))
    often = sum(rule["evaluationFrequency"] == "PT5M" for rule in rules)
    if f"{often} every 5 min at 1.50, {len(rules) - often} less often at 0.50." not in infra.read("infra/README.md"):
        faults.append(f"infra/README.md: alerts.json has {often} alerts every 5 min, and {len(rules) - often} less often")
    for rule in rules:
        # Azure disables a rule whose query fails for a week, and a query fails if it names a table that is not there.
        if "union isfuzzy=true (datatable(" not in rule["query"]:
            faults.append(f"monitoring/alerts.json: {rule['name']} fails without its tables")
        if not rule["displayName"].startswith("Diskseal: ") or rule["severity"] not in range(4):
            faults.append(f"monitoring/alerts.json: {rule['name']} does not say what product it is, or how severe")
        if "AzureActivity" in rule["query"] and "DeliverySuccessCount" in rule["query"] and "__HANDLER_CLIENT_ID__" not in rule["query"]:
            faults.append(f"monitoring/alerts.json: {rule['name']} counts the handler's own writes")
    return faults
