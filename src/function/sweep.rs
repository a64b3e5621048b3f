//! `sweep`: puts unsealed resources on the queue, which several instances of the app process.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use tracing::{Instrument, Span, error, field::Empty, info, info_span, warn};

use super::{
    App,
    invocation::{Invocation, fail, send_span},
    outcomes,
    pending::Pending,
    reply::{Outputs, Reply},
};
use crate::{
    azure::Terms,
    evidence::{self, Kept},
    policy::{Guarded, NamedBy},
    resource_id::ResourceId,
    sweep::{self, Error},
    telemetry::{RESULT, TraceContext, metrics},
};

/// The shortest time between two runs of a schedule. A shorter one is that of a run that catches up.
const INTERVAL_MIN: Duration = Duration::from_secs(30);
/// How long it may take to find out whether there is evidence of the day.
const LISTING_TIME: Duration = Duration::from_secs(10);

/// Runs one sweep.
pub(super) async fn run(app: &App, invocation: &Invocation, timer: &Value) -> Reply {
    let span = invocation.span();
    invocation.join(&span, &TraceContext::default());
    let work = async {
        let due = evidence_due(app, invocation).await;
        let mut terms = invocation.terms;
        if due == Due::Yes {
            // What the sweep does not reach in half of the time is left to the next run, which begins at another row.
            terms = terms.at_most(terms.time_left() / 2);
        }
        let reply = list_and_queue(app, invocation, timer, terms).await;
        let kept = match due {
            Due::Yes => keep_evidence(app, invocation).await,
            Due::No => None,
            Due::Unknown(line) => Some(line),
        };
        match reply {
            Reply::Succeeded { outputs, mut logs } => {
                logs.extend(kept);
                Reply::Succeeded { outputs, logs }
            }
            failed @ Reply::Failed { .. } => failed,
        }
    };
    work.instrument(span).await
}

/// The time between two runs: from the last one to this one, which the host calls `Next`. None on the first run, whose
/// `Last` is in the year 1, and without the monitor of the schedule.
pub(super) fn interval(timer: &Value) -> Option<Duration> {
    let at = |name: &str| {
        let text = timer.get("ScheduleStatus")?.get(name)?.as_str()?;
        OffsetDateTime::parse(text, &Rfc3339).ok().filter(|at| at.year() > 1)
    };
    let interval = Duration::try_from(at("Next")? - at("Last")?).ok()?;
    Some(interval).filter(|interval| *interval >= INTERVAL_MIN)
}

/// Whether this is the schedule's first run of a day in UTC, or may be: a first run has no last one.
pub(super) fn is_first_of_day(timer: &Value, now: OffsetDateTime) -> bool {
    let last = timer.get("ScheduleStatus").and_then(|status| status.get("Last")?.as_str());
    let last = last.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let day = |time: OffsetDateTime| time.checked_to_offset(UtcOffset::UTC).map(OffsetDateTime::date);
    last.is_none_or(|last| day(last) != day(now))
}

/// Whether this run is to write the evidence of the day.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Yes,
    No,
    /// The container cannot be listed; a line about it.
    Unknown(String),
}

async fn evidence_due(app: &App, invocation: &Invocation) -> Due {
    let (Some(evidence), Ok(ctx)) = (app.evidence.get(), app.context(invocation).await) else {
        return Due::No;
    };
    let span = evidence_span();
    let due = evidence::is_due(&ctx, evidence, invocation.terms.at_most(LISTING_TIME));
    match due.instrument(span.clone()).await {
        Ok(true) => Due::Yes,
        Ok(false) => Due::No,
        Err(error) => Due::Unknown(not_written(invocation, &span, &error)),
    }
}

/// Writes the evidence of the day. The sweep does not depend on it: a failure is logged and counted, and the next run of
/// the day tries again. Returns a line about it, if there is something to say.
async fn keep_evidence(app: &App, invocation: &Invocation) -> Option<String> {
    let ctx = app.context(invocation).await.ok()?;
    let evidence = Arc::clone(app.evidence.get()?);
    let (terms, span) = (invocation.terms, evidence_span());
    // On a task of its own, so that whatever happens to it, the sweep is answered.
    let kept = async move { evidence::keep(&ctx, &evidence, terms).await }.instrument(span.clone());
    match tokio::spawn(kept).await.unwrap_or_else(|fault| Err(evidence::Error::Stopped(fault.to_string()))) {
        Ok(Kept::Before) => None,
        Ok(Kept::Written { name, bytes, resources }) => {
            metrics::evidence_run(None);
            let line = format!("evidence: {name} written, {resources} resources, {bytes} bytes");
            info!(target: RESULT, invocation_id = invocation.id, "{line}");
            Some(line)
        }
        Err(error) => Some(not_written(invocation, &span, &error)),
    }
}

fn evidence_span() -> Span {
    info_span!("evidence", otel.status_code = Empty, error.type = Empty)
}

fn not_written(invocation: &Invocation, span: &Span, error: &evidence::Error) -> String {
    metrics::evidence_run(Some(error.reason()));
    fail(span, error.reason());
    let line = format!("evidence: not written: {error}");
    error!(target: RESULT, invocation_id = invocation.id, "{line}");
    line
}

async fn list_and_queue(app: &App, invocation: &Invocation, timer: &Value, terms: Terms) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    let collected = match sweep::collect_for(&ctx, interval(timer), terms).await {
        Ok(collected) => collected,
        Err(off @ Error::SwitchedOff) => {
            warn!(target: RESULT, invocation_id = invocation.id, "sweep: {off}");
            return Reply::done(off.to_string());
        }
        Err(error) => {
            fail(&Span::current(), error.reason());
            error!(invocation_id = invocation.id, "sweep: {error}");
            if let Some(outcome) = outcomes::of_refused_sweep(&ctx, invocation, &error) {
                let outputs = Outputs { outcomes: vec![outcome], ..Outputs::default() };
                return Reply::Succeeded { outputs, logs: vec![error.to_string()] };
            }
            return Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, error);
        }
    };
    info!(target: RESULT, invocation_id = invocation.id, "sweep: {collected}");
    if collected.survey.doubtful > 0 {
        Span::current().record("diskseal.reason", Guarded::Unknown.reason());
    }
    let mut outputs = Outputs::default();
    // Once a day, because the same is true at each run.
    if outcomes::are_on(&ctx) && is_first_of_day(timer, ctx.now()) {
        outputs.outcomes = outcomes::of_sweep(&ctx, invocation, &collected.notable);
        if collected.more_notable > 0 {
            warn!("{} more outcomes of this sweep are not sent", collected.more_notable);
        }
    }
    if collected.to_seal.is_empty() {
        return Reply::Succeeded { outputs, logs: vec![collected.to_string()] };
    }
    let TraceContext { traceparent, tracestate } =
        send_span(collected.to_seal.len()).in_scope(|| invocation.trace_context(&TraceContext::default()));
    let message = |id: &ResourceId| Pending {
        resource: id.clone(),
        reason: Pending::OF_A_SWEEP.to_owned(),
        first_seen: ctx.now(),
        traceparent: traceparent.clone(),
        tracestate: tracestate.clone(),
        correlation_id: None,
        named_by: Some(NamedBy::Sweep),
    };
    outputs.pending = collected.to_seal.iter().map(message).collect();
    Reply::Succeeded { outputs, logs: vec![collected.to_string()] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_run_of_a_day_is_the_one_whose_last_run_was_on_another() {
        let now = time::macros::datetime!(2026-11-27 00:17 UTC);
        for (last, is_first) in [
            ("2026-11-26T23:17:00+00:00", true),
            ("2026-11-27T00:00:00+00:00", false),
            ("2026-11-27T00:30:00+01:00", true),
            ("2026-11-26T23:30:00-01:00", false),
            ("0001-01-01T00:00:00+00:00", true),
            ("soon", true),
        ] {
            let timer = json!({"ScheduleStatus": {"Last": last, "Next": last}});
            assert_eq!(is_first_of_day(&timer, now), is_first, "{last}");
        }
        assert!(is_first_of_day(&json!({}), now) && is_first_of_day(&json!({"ScheduleStatus": null}), now));
    }

    #[test]
    fn the_interval_is_the_time_since_the_last_run() {
        let seconds = |last: &str, next: &str| {
            let timer = json!({"ScheduleStatus": {"Last": last, "Next": next}});
            interval(&timer).map(|interval| interval.as_secs())
        };
        assert_eq!(seconds("2026-11-26T10:17:00.0031+00:00", "2026-11-26T11:17:00+00:00"), Some(3_599));
        assert_eq!(seconds("2026-11-26T11:16:00+01:00", "2026-11-26T10:17:00Z"), Some(60));
        for (last, next) in [
            ("0001-01-01T00:00:00", "2026-11-26T10:17:00Z"),
            ("0001-01-01T00:00:00+00:00", "2026-11-26T10:17:00Z"),
            ("2026-11-26T10:17:00Z", "2026-11-26T10:17:01Z"),
            ("2026-11-26T10:17:00Z", "2026-11-25T10:17:00Z"),
            ("soon", "2026-11-26T10:17:00Z"),
        ] {
            assert_eq!(seconds(last, next), None, "{last} {next}");
        }
        assert_eq!(interval(&json!({})), None);
        assert_eq!(interval(&json!({"ScheduleStatus": null})), None);
    }
}
