//! The custom-handler protocol: one route a function, an envelope in, an answer out that is never
//! empty.
//!
//! Source: "Azure Functions custom handlers". The host sends each invocation as `POST /{function}`,
//! and asks `GET /` until something answers, and ever again to see that it still does.

mod envelope;
mod invocation;
mod machine;
mod pending;
mod reply;
mod seal;

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::SetOnce;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, Span, error, info, warn};

pub use pending::Pending;
pub use reply::Reply;
pub use seal::Ignored;

use crate::{
    enforce::Context,
    resource_id::ResourceId,
    sweep,
    telemetry::{TraceContext, Wait, wait},
};
use envelope::{Envelope, EnvelopeError};
pub use invocation::Refused;
use invocation::{Invocation, Trigger, fail, send_span};

/// The longest body. A batch of Event Grid is 1 MB at most, and the envelope holds it twice, escaped.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A sweep's own deadline, well below the `functionTimeout` of host.json, at which the host would
/// kill the process and every other invocation with it.
const SWEEP_DEADLINE: Duration = Duration::from_mins(4);

/// What all invocations share.
#[derive(Debug)]
pub struct App {
    /// Set when everything is warm; invocations that come earlier wait for it.
    pub context: SetOnce<Arc<Context>>,
    /// How long one invocation may take.
    pub deadline: Duration,
    is_warm: AtomicBool,
}

impl App {
    /// An app whose context is still to be set.
    pub fn new(deadline: Duration) -> Self {
        Self { context: SetOnce::new(), deadline, is_warm: AtomicBool::new(false) }
    }

    fn invocation(&self, headers: &HeaderMap, deadline: Duration) -> Invocation {
        let is_cold = !self.is_warm.swap(true, Ordering::Relaxed);
        Invocation::new(headers, deadline, is_cold)
    }

    async fn context(&self, invocation: &Invocation) -> Result<Arc<Context>, Reply> {
        let start = tokio::time::timeout_at(invocation.deadline.instant(), self.context.wait());
        wait(Wait::Start, start).await.map(Arc::clone).map_err(|_| {
            fail(&Span::current(), Refused::StillStarting.reason());
            Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, "still starting")
        })
    }
}

/// The routes of all functions.
pub fn router(app: Arc<App>) -> Router {
    guarded(
        Router::new()
            .route("/", get(|| async { StatusCode::OK }))
            .route("/seal-on-write", post(seal_on_write))
            .route("/seal-queued", post(seal_queued))
            .route("/sweep", post(sweep))
            .fallback(unknown)
            .with_state(app),
    )
}

/// A body limit, and a panic that fails its own invocation alone.
fn guarded(router: Router) -> Router {
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(CatchPanicLayer::custom(panicked))
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    error!("an invocation panicked; the others go on");
    Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, "the invocation panicked").into_response()
}

async fn unknown(uri: Uri) -> Reply {
    warn!(path = %uri.path().chars().take(128).collect::<String>().escape_debug(), "no such function");
    Reply::failed(StatusCode::NOT_FOUND, "no such function: seal-on-write, seal-queued and sweep are known")
}

async fn seal_on_write(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Reply {
    let invocation = app.invocation(&headers, app.deadline);
    let span = invocation.span("seal-on-write", Trigger::EventGrid);
    match read(body, Envelope::events) {
        Ok(events) => {
            let parsed = seal::parse(&invocation, &span, &events);
            seal::events(&app, &invocation, parsed).instrument(span).await
        }
        Err(reply) => refused(&invocation, &span, Trigger::EventGrid, reply),
    }
}

async fn seal_queued(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Reply {
    let invocation = app.invocation(&headers, app.deadline);
    match read(body, Envelope::message) {
        // A queue keeps only what has failed. The status tells this from a try that did, and no trace does.
        Ok(received) if !received.is_due() => {
            let line = format!(
                "not_due {}: {}; the next try is later",
                received.pending.id, received.pending.reason
            );
            info!(invocation_id = invocation.id, "{line}");
            Reply::failed(StatusCode::SERVICE_UNAVAILABLE, line)
        }
        Ok(received) => {
            let span = invocation.span("seal-queued", Trigger::Queue);
            invocation.join(&span, Trigger::Queue, &received.pending.trace_context());
            span.record("messaging.message.id", received.id.as_deref());
            seal::message(&app, &invocation, received).instrument(span).await
        }
        Err(reply) => {
            let span = invocation.span("seal-queued", Trigger::Queue);
            refused(&invocation, &span, Trigger::Queue, reply)
        }
    }
}

async fn sweep(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Reply {
    let invocation = app.invocation(&headers, SWEEP_DEADLINE);
    let span = invocation.span("sweep", Trigger::Timer);
    if let Err(reply) = read(body, Envelope::timer) {
        return refused(&invocation, &span, Trigger::Timer, reply);
    }
    invocation.join(&span, Trigger::Timer, &TraceContext::default());
    sweep_and_queue(&app, &invocation).instrument(span).await
}

/// Puts what is not sealed on the queue, where as many instances as the platform starts work on it.
async fn sweep_and_queue(app: &App, invocation: &Invocation) -> Reply {
    let ctx = match app.context(invocation).await {
        Ok(ctx) => ctx,
        Err(reply) => return reply,
    };
    let collected = match sweep::collect(&ctx, invocation.deadline.behind_events()).await {
        Ok(collected) => collected,
        Err(off @ sweep::Error::SwitchedOff) => {
            warn!(invocation_id = invocation.id, "sweep: {off}");
            return Reply::done(off.to_string());
        }
        Err(error) => {
            fail(&Span::current(), error.reason());
            error!(invocation_id = invocation.id, "sweep: {error}");
            return Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, error);
        }
    };
    info!(invocation_id = invocation.id, "sweep: {collected}");
    if collected.to_seal.is_empty() {
        return Reply::done(collected.to_string());
    }
    let TraceContext { traceparent, tracestate } =
        send_span(collected.to_seal.len()).in_scope(|| invocation.trace_context(&TraceContext::default()));
    let message = |id: &ResourceId| Pending {
        id: id.clone(),
        reason: Pending::OF_A_SWEEP.to_owned(),
        first_seen: ctx.now(),
        traceparent: traceparent.clone(),
        tracestate: tracestate.clone(),
        of_machine: false,
    };
    let pending = collected.to_seal.iter().map(message).collect();
    Reply::Succeeded { pending, logs: vec![collected.to_string()] }
}

fn read<T>(
    body: Result<Bytes, BytesRejection>,
    decode: impl FnOnce(Envelope) -> Result<T, EnvelopeError>,
) -> Result<T, Reply> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Reply::failed(StatusCode::PAYLOAD_TOO_LARGE, format!("the body exceeds {BODY_BYTES_MAX} bytes"))
        }
        status => Reply::failed(status, "the body could not be read"),
    })?;
    Envelope::read(&body).and_then(decode).map_err(|error| Reply::failed(StatusCode::BAD_REQUEST, error))
}

/// The host throws a failure's body away, so the reason is logged.
fn refused(invocation: &Invocation, span: &Span, trigger: Trigger, reply: Reply) -> Reply {
    invocation.join(span, trigger, &TraceContext::default());
    fail(span, Refused::Body.reason());
    if let Reply::Failed { status, message } = &reply {
        error!(invocation_id = invocation.id, "refused with {}: {message}", status.as_u16());
    }
    reply
}

#[cfg(test)]
mod tests;
