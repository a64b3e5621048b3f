//! The report as Compliance Findings of the Open Cybersecurity Schema Framework: what Security Lake, Sentinel and Splunk
//! read.
//!
//! Source: OCSF 1.5.0, class *Compliance Finding* (2003). Each resource has one finding for each check.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Report, Row, Run,
    control::{Check, Control, Verdict},
};

/// The version of the schema.
const VERSION: &str = "1.5.0";

/// Writes a list of findings, one a line: of each of [`Report::resources`], so of all resources only with `--all`.
///
/// # Errors
/// The rows cannot be read, or `to` cannot be written.
pub fn ocsf(report: &Report, to: &mut impl Write) -> io::Result<()> {
    let mut separator = "[\n";
    for row in report.resources() {
        let row = row?;
        for check in Check::ALL {
            to.write_all(separator.as_bytes())?;
            finding(&row, check, &report.run).serialize(&mut serde_json::Serializer::new(&mut *to))?;
            separator = ",\n";
        }
    }
    to.write_all(if separator == "[\n" { b"[]\n" } else { b"\n]\n" })
}

/// One finding. Its `uid` is the same in each report, so that a later one replaces it.
fn finding(row: &Row, check: Check, run: &Run) -> Value {
    let verdict = row.checks.of(check);
    let (severity, severity_id) = match (verdict, check) {
        (Verdict::Pass | Verdict::Exempt, _) => ("Informational", 1),
        (_, Check::DataAccessAuthMode) => ("High", 4),
        (_, Check::NetworkAccess) => ("Medium", 3),
    };
    let (status, status_id) = if verdict == Verdict::Exempt { ("Suppressed", 3) } else { ("New", 1) };
    let time = i64::try_from(run.taken_at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let why = if row.detail.is_empty() {
        row.reason.to_string()
    } else {
        format!("{}: {}", row.reason, row.detail)
    };
    let mut finding = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200_301,
        "type_name": "Compliance Finding: Create",
        "time": time,
        "severity": severity,
        "severity_id": severity_id,
        "status": status,
        "status_id": status_id,
        "status_code": verdict.label(),
        "message": format!("{} {}: {}", row.kind, row.name, check.title()),
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": "Diskseal", "vendor_name": "Diskseal", "version": env!("CARGO_PKG_VERSION")},
        },
        "compliance": compliance(row, check),
        "finding_info": {
            "uid": format!("diskseal:{}:{}", check.label(), row.id.to_lowercase()),
            "title": check.title(),
            "desc": why,
            "created_time": time,
            "types": ["Compliance"],
        },
        "cloud": {
            "provider": "Azure",
            "account": {
                "uid": row.subscription_id,
                "name": row.subscription_name.as_ref().unwrap_or(&row.subscription_id),
                "type": "Azure subscription",
                "type_id": 99,
            },
        },
        "resources": [resource(row)],
    });
    if let Some(region) = &row.location {
        finding["resources"][0]["region"] = json!(region);
        finding["cloud"]["region"] = json!(region);
    }
    if matches!(verdict, Verdict::Fail | Verdict::Exempt) {
        finding["remediation"] = json!({"desc": check.remedy(), "references": [row.portal]});
    }
    finding
}

/// What the check finds, and the published controls about it. None is about snapshots.
fn compliance(row: &Row, check: Check) -> Value {
    let (status, status_id) = match row.checks.of(check) {
        Verdict::Pass => ("Pass", 1),
        Verdict::Fail => ("Fail", 3),
        Verdict::Exempt => ("Exempt", 99),
        Verdict::Unknown => ("Unknown", 0),
    };
    let mut compliance =
        json!({"status": status, "status_id": status_id, "control": check.label(), "desc": check.title()});
    if row.kind == "disk" {
        let mut standards: Vec<_> =
            check.controls().map(|one| format!("{} {}", one.framework, one.version)).collect();
        standards.dedup();
        compliance["standards"] = json!(standards);
        compliance["requirements"] = check.controls().map(Control::name).collect();
    }
    compliance
}

fn resource(row: &Row) -> Value {
    json!({
        "uid": row.id,
        "name": row.name,
        "type": format!("Microsoft.Compute/{}s", row.kind),
        "group": {"name": row.resource_group},
        "data": {
            "status": row.status,
            "ring": row.ring,
            "dataAccessAuthMode": row.data_access_auth_mode,
            "networkAccessPolicy": row.network_access_policy,
            "publicNetworkAccess": row.public_network_access,
            "diskState": row.disk_state,
            "sealedAt": row.sealed_at,
            "sealedBy": row.sealed_by,
        },
    })
}
