//! From what was seen to findings, each named after the part of the route that it is about. Pure.

use super::{
    venue::Trial,
    watch::{Seen, Sight},
};
use crate::{
    doctor::{Finding, Verdict},
    policy::Mode,
};

/// The parts in the order of the route: the check of a part that is at fault explains why nothing came after it.
const ROUTE: [&str; 6] = ["Event Grid", "function app", "identity", "permissions", "switch", "backups"];
const TELEMETRY: &str = "telemetry";
const TIME_LINE: &str = "time line";

/// The findings about both resources, and about the trace. `before` are those of the checks before the trial.
pub(super) fn findings(trial: &Trial, mode: Mode, seen: &Seen, before: &[Finding]) -> Vec<Finding> {
    let mut findings = vec![];
    for one in seen.both() {
        findings.push(match mode {
            Mode::Enforce => sealed(trial, one, seen, before),
            Mode::Audit => audited(trial, one, seen, before),
        });
        findings.extend(
            one.parts.as_ref().map(|parts| Finding::ok(TIME_LINE, one.id.to_string(), parts.to_string())),
        );
    }
    let is_good = seen.both().iter().all(|one| one.is_good(mode));
    if is_good {
        findings.extend(traced(trial, seen));
    }
    findings
}

fn sealed(trial: &Trial, one: &Sight, seen: &Seen, before: &[Finding]) -> Finding {
    match one.sealed_after {
        Some(after) => {
            let text =
                format!("sealed: the auth mode and the tags are there, seen after {} s", after.as_secs());
            Finding::ok("try", one.id.to_string(), text)
        }
        None => fault(trial, one, seen, before),
    }
}

fn audited(trial: &Trial, one: &Sight, seen: &Seen, before: &[Finding]) -> Finding {
    match &one.ended {
        _ if one.sealed_after.is_some() => Finding::failed(
            "settings",
            one.id.to_string(),
            "something sealed it, although it is in audit by the app's settings",
            "look who wrote it: az monitor activity-log list --resource-id with this ID",
        ),
        Some(ended) if ended.outcome == "would_seal" => {
            Finding::ok("try", one.id.to_string(), "would_seal: the handler looked at it, and wrote nothing")
        }
        _ => fault(trial, one, seen, before),
    }
}

/// Why the resource has not come to its end, by the part that is at fault as far as it can be seen.
fn fault(trial: &Trial, one: &Sight, seen: &Seen, before: &[Finding]) -> Finding {
    let about = one.id.to_string();
    let lacks = if one.lacks.is_empty() { String::new() } else { format!(", lacks {}", one.lacks) };
    let state = format!("not proven within {} s{lacks}", trial.timeout.as_secs());
    if seen.is_stopped {
        return Finding {
            verdict: Verdict::Unknown,
            ..Finding::warning("try", about, "interrupted", "run it again")
        };
    }
    if let Some(ended) = one.ended.as_ref().filter(|ended| !ended.is_sealed()) {
        let why = ended.why.as_deref().map_or_else(String::new, |why| format!(", {why}"));
        let text = format!("{state}: the last look at it ended in {}{why}", ended.outcome);
        let (part, remedy) = part_of(&ended.outcome, ended.why.as_deref());
        return Finding::failed(part, about, text, remedy);
    }
    if one.ended.is_some() {
        let text = format!("{state}: the handler reports the seal, and ARM does not show it");
        let remedy = "look who writes it: az monitor activity-log list --resource-id with this ID";
        return Finding::failed("ARM", about, text, remedy);
    }
    let cause = ROUTE.iter().find_map(|part| cause(part, before));
    if let Some(cause) = cause {
        let on = if cause.about.is_empty() { String::new() } else { format!("{}: ", cause.about) };
        let remedy = cause.remedy.clone().unwrap_or_default();
        return Finding::failed(cause.check, about, format!("{state}; {on}{}", cause.text), remedy);
    }
    if let Some(error) = &seen.fault {
        let finding = Finding::failed(
            "try",
            about,
            format!("{state}; {error}"),
            "resolve the error that Azure returned",
        );
        return Finding { verdict: Verdict::Unknown, ..finding };
    }
    let text = match trial.workspace {
        Some(_) => format!("{state}: the workspace shows no look at it, and no check above explains it"),
        None => format!("{state}; no check above explains it, and without a workspace no look can be seen"),
    };
    Finding::failed("try", about, text, "follow docs/runbook.md#unhandled, from Event Grid to the handler")
}

/// The finding of an earlier check that explains it: a failure, or a warning about the switch or the guard, with which
/// other things still work.
fn cause<'a>(part: &str, before: &'a [Finding]) -> Option<&'a Finding> {
    let explains = |finding: &&Finding| match finding.verdict {
        Verdict::Failed | Verdict::Unreachable | Verdict::Unknown => true,
        Verdict::Warning => ["switch", "backups"].contains(&finding.check),
        Verdict::Ok => false,
    };
    before.iter().filter(|finding| finding.check == part).find(explains)
}

/// The part to which the end of a look points, and what to do about it.
fn part_of(outcome: &str, why: Option<&str>) -> (&'static str, &'static str) {
    let says = |words: &[&str]| why.is_some_and(|why| words.iter().any(|word| why.contains(word)));
    match outcome {
        "switched_off" => ("switch", "remove the tag diskseal from the switch's scope to allow writes again"),
        "protected" if says(&["guard_unknown", "cannot read whether"]) => (
            "backups",
            "give the handler's identity the reads of vaults and clusters in all subscriptions, or set \
             DISKSEAL_BACKUP_GUARD=off where no vault protects anything",
        ),
        "protected" => ("backups", "a vault claims it: look at the vault's policies for new disks"),
        "exempt" => ("settings", "the handler exempts it: compare the app's exemptions, and restart the app"),
        "would_seal" => {
            ("settings", "the handler runs in audit mode: compare DISKSEAL_MODE, and restart the app")
        }
        _ if says(&["guard_unknown"]) => ("backups", "try again: Azure did not answer what vaults protect"),
        _ if says(&["forbidden", "AuthorizationFailed"]) => (
            "permissions",
            "assign the handler's role to its identity on the subscription; a new assignment takes up to ten minutes",
        ),
        _ if says(&["no_token", "unauthorized"]) => {
            ("identity", "check the app's identity and AZURE_CLIENT_ID")
        }
        _ => ("ARM", "docs/runbook.md has a section for each reason"),
    }
}

/// Whether the traces arrived, once both resources have come to their end.
fn traced(trial: &Trial, seen: &Seen) -> Option<Finding> {
    let Some(workspace) = &trial.workspace else {
        let text = format!("not checked: {}; so there is no time line", trial.without_workspace);
        return Some(Finding::warning(
            TELEMETRY,
            "",
            text,
            "pass --workspace with the ID of the Log Analytics workspace",
        ));
    };
    if !trial.exports_traces {
        let text = "the app's settings name no endpoint for traces, so none was waited for, and there is no time line";
        let remedy = "deploy with Azure Monitor's OTLP ingestion: docs/telemetry.md#azure-monitor";
        return Some(Finding::warning(TELEMETRY, workspace, text, remedy));
    }
    if seen.both().iter().all(|one| one.parts.is_some()) {
        return Some(Finding::ok(TELEMETRY, workspace, "the traces of both arrived"));
    }
    if seen.is_stopped {
        return None;
    }
    let why = match &seen.fault {
        Some(error) => format!("it is unknown whether the traces arrived: {error}"),
        None if seen.both().iter().any(|one| one.has_span) => {
            "a part of the traces did not arrive".to_owned()
        }
        None => "no trace of a look arrived".to_owned(),
    };
    let text = format!("{why}, within {} s", trial.timeout.as_secs());
    let remedy = "check the app's endpoints for traces and whether they accept exports (docs/runbook.md#silent), and its \
                  sampler, OTEL_TRACES_SAMPLER; a new workspace takes some minutes, so --try-timeout may be too short. If they go to \
                  another backend, pass --workspace none";
    let finding = Finding::failed(TELEMETRY, workspace, text, remedy);
    let verdict = if seen.fault.is_some() { Verdict::Unknown } else { Verdict::Failed };
    Some(Finding { verdict, ..finding })
}
