//! The custom-handler protocol: one route per function; each request is an envelope, and each answer
//! has a body.
//!
//! Source: "Azure Functions custom handlers". The host sends each invocation as `POST /{function}`,
//! and polls `GET /` until the handler answers, and later to check that it still runs.

mod envelope;
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod ignored;
mod invocation;
mod machine;
mod one;
mod outcomes;
mod pending;
mod reply;
mod seal;
mod sweep;

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
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
use tracing::{Span, error, warn};

pub use ignored::Ignored;
pub use pending::Pending;
pub use reply::{Outputs, Reply};

use crate::{
    enforce::Context,
    evidence,
    telemetry::{TraceContext, Wait, metrics, wait},
};
use envelope::{Envelope, EnvelopeError};
pub use functions::{Function, OUTCOMES, POISON, QUEUE};
pub use invocation::Refused;
use invocation::{Invocation, fail};

/// Maximum size of a body. A batch of Event Grid has at most 1 MB, and the envelope holds it twice, escaped.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The state that all invocations share.
#[derive(Debug)]
pub struct App {
    /// Set when the warm-up is complete; earlier invocations wait for it.
    pub context: SetOnce<Arc<Context>>,
    /// Time limit of the invocation of an event.
    pub deadline: Duration,
    /// Where evidence goes, if it goes anywhere; set before the context.
    pub evidence: OnceLock<evidence::Shared>,
    is_warm: AtomicBool,
}

impl App {
    /// An app whose context is not set yet.
    pub fn new(deadline: Duration) -> Self {
        Self { context: SetOnce::new(), deadline, evidence: OnceLock::new(), is_warm: AtomicBool::new(false) }
    }

    /// Time limit of the longest invocation.
    pub fn longest_invocation(&self) -> Duration {
        let limits = Function::ALL.map(|function| function.time(self.deadline));
        limits.into_iter().max().unwrap_or(self.deadline)
    }

    fn invocation(&self, function: Function, headers: &HeaderMap) -> Invocation {
        let is_cold = !self.is_warm.swap(true, Ordering::Relaxed);
        Invocation::new(function, headers, self.deadline, is_cold)
    }

    async fn context(&self, invocation: &Invocation) -> Result<Arc<Context>, Reply> {
        let start = tokio::time::timeout_at(invocation.terms.until(), self.context.wait());
        wait(Wait::Start, start).await.map(Arc::clone).map_err(|_| {
            fail(&Span::current(), Refused::StillStarting.reason());
            Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, "still starting")
        })
    }
}

/// The routes of all functions.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new().route("/", get(|| async { StatusCode::OK })).fallback(unknown);
    for function in Function::ALL {
        let invoke = move |State(app): State<Arc<App>>,
                           headers: HeaderMap,
                           body: Result<Bytes, BytesRejection>| async move {
            let mut invocation = app.invocation(function, &headers);
            // In a box of its own: what wraps the handler moves its future several times.
            let reply = Box::pin(invoke(&app, function, &mut invocation, body)).await;
            reply.unwrap_or_else(|reply| refused(&invocation, reply))
        };
        router = router.route(&format!("/{}", function.name()), post(invoke));
    }
    guarded(router.with_state(app))
}

/// Limits the size of bodies, and lets a panic fail only its own invocation.
fn guarded(router: Router) -> Router {
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(CatchPanicLayer::custom(panicked))
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    error!("an invocation panicked; other invocations continue");
    Reply::failed(StatusCode::INTERNAL_SERVER_ERROR, "the invocation panicked").into_response()
}

async fn unknown(uri: Uri) -> Reply {
    warn!(path = %uri.path().chars().take(128).collect::<String>().escape_debug(), "no such function");
    let known = Function::names().join(", ");
    Reply::failed(StatusCode::NOT_FOUND, format!("no such function; the functions are {known}"))
}

/// Reads the envelope that the function's trigger fills, and runs the function.
///
/// # Errors
/// The body is not an invocation of this function; the reply names the reason.
async fn invoke(
    app: &App,
    function: Function,
    invocation: &mut Invocation,
    body: Result<Bytes, BytesRejection>,
) -> Result<Reply, Reply> {
    Ok(match function {
        Function::SealOnWrite => {
            let events = read(body, |body| opened(body, invocation)?.events())?;
            seal::events(app, invocation, events).await
        }
        Function::SealQueued => {
            let message = read(body, |body| opened(body, invocation)?.message())?;
            seal::message(app, invocation, message).await
        }
        Function::Sweep => {
            let timer = read(body, |body| Envelope::read(body)?.timer())?;
            sweep::run(app, invocation, &timer).await
        }
    })
}

/// Opens the envelope, and notes when the host triggered the invocation. Only a metric has that time, which is not worth
/// the reading where nobody exports it.
fn opened<'a>(body: &'a [u8], invocation: &mut Invocation) -> Result<Envelope<'a>, EnvelopeError> {
    let envelope = Envelope::read(body)?;
    invocation.arrival.triggered = metrics::are_exported().then(|| envelope.triggered()).flatten();
    Ok(envelope)
}

fn read<T>(
    body: Result<Bytes, BytesRejection>,
    decode: impl FnOnce(&[u8]) -> Result<T, EnvelopeError>,
) -> Result<T, Reply> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Reply::failed(StatusCode::PAYLOAD_TOO_LARGE, format!("the body exceeds {BODY_BYTES_MAX} bytes"))
        }
        status => Reply::failed(status, "the body could not be read"),
    })?;
    decode(&body).map_err(|error| Reply::failed(StatusCode::BAD_REQUEST, error))
}

/// Logs the reason of a refusal, because the host discards the body of a failure.
fn refused(invocation: &Invocation, reply: Reply) -> Reply {
    let span = invocation.span();
    invocation.join(&span, &TraceContext::default());
    fail(&span, Refused::Body.reason());
    if let Reply::Failed { status, message } = &reply {
        error!(invocation_id = invocation.id, "refused with {}: {message}", status.as_u16());
    }
    reply
}

#[cfg(test)]
mod tests;
