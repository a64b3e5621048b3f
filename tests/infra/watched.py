"""Whether an installation is watched: where its telemetry goes, who gets its alerts, and which alerts can work."""

import json


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
    for rule in json.loads(infra.read("infra/monitoring/alerts.json")):
        # Azure disables a rule whose query fails for a week, and a query fails if it names a table that is not there.
        if "union isfuzzy=true (datatable(" not in rule["query"]:
            faults.append(f"monitoring/alerts.json: {rule['name']} fails without its tables")
    return faults
