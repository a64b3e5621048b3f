//! `sweep`: puts unsealed resources on the queue, which several instances of the app process.

use axum::http::StatusCode;
use tracing::{Instrument, Span, error, info, warn};

use super::{
    App,
    invocation::{Invocation, fail, send_span},
    pending::Pending,
    reply::Reply,
};
use crate::{
    policy::Guarded,
    resource_id::ResourceId,
    sweep::{self, Error},
    telemetry::{RESULT, TraceContext},
};

/// Runs one sweep.
pub(super) async fn run(app: &App, invocation: &Invocation) -> Reply {
    let span = invocation.span();
    invocation.join(&span, &TraceContext::default());
    list_and_queue(app, invocation).instrument(span).await
}

async fn list_and_queue(app: &App, invocation: &Invocation) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    let collected = match sweep::collect(&ctx, invocation.terms).await {
        Ok(collected) => collected,
        Err(off @ Error::SwitchedOff) => {
            warn!(target: RESULT, invocation_id = invocation.id, "sweep: {off}");
            return Reply::done(off.to_string());
        }
        Err(error) => {
            fail(&Span::current(), error.reason());
            error!(invocation_id = invocation.id, "sweep: {error}");
            return Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, error);
        }
    };
    info!(target: RESULT, invocation_id = invocation.id, "sweep: {collected}");
    if collected.survey.doubtful > 0 {
        Span::current().record("diskseal.reason", Guarded::Unknown.reason());
    }
    if collected.to_seal.is_empty() {
        return Reply::done(collected.to_string());
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
    };
    let pending = collected.to_seal.iter().map(message).collect();
    Reply::Succeeded { pending, logs: vec![collected.to_string()] }
}
