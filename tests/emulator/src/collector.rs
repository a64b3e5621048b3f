//! A receiver of OTLP over HTTP/protobuf on loopback, which can also be slow, faulty or down; and Azure
//! Monitor's ingestion, which is the same behind a token.

mod decode;
mod log;
mod metric;
mod monitor;
mod span;

use std::{
    io::{self, Read as _},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest,
    metrics::v1::ExportMetricsServiceRequest,
    trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse},
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{net::TcpListener, task::AbortHandle};

pub use self::log::LogRecord;
pub use self::metric::{MetricData, MetricPoint, Temporality};
pub use self::span::{Attributes, Span, SpanEvent, SpanKind, SpanLink, Status};

use self::monitor::Gate;
use crate::{recorded::Recorded, serve::listen};

/// The largest export.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// How the collector answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// With success.
    #[default]
    Normal,
    /// With success, after a delay.
    Slow(Duration),
    /// With 200 and bytes that are not protobuf.
    Garbage,
    /// With 200 and a body that never ends.
    Endless,
    /// With 200 and the number of rejected items ("Partial Success" of the OTLP specification).
    Partial(i64),
    /// With this status and no body. Nothing of the export is kept.
    Status(u16),
    /// By closing the connection without an answer. Nothing of the export is kept.
    HangUp,
}

/// One received export, whatever the response was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The request's path: `/v1/traces`, `/v1/metrics` or `/v1/logs`, for Azure Monitor with its prefix.
    pub path: String,
    /// The request's headers, names in lower case. Only the end of a token is kept.
    pub headers: Vec<(String, String)>,
    /// The length of the body in bytes, as it was sent.
    pub bytes: usize,
    /// The status of the response; 0 if the connection was closed instead.
    pub status: u16,
}

/// A running receiver. Dropping it closes its port.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    received: Arc<Received>,
    server: AbortHandle,
}

#[derive(Debug, Default)]
struct Received {
    /// The authorization check; none admits everyone.
    gate: Option<Gate>,
    answers: Mutex<Answers>,
    spans: Recorded<Span>,
    logs: Recorded<LogRecord>,
    points: Recorded<MetricPoint>,
    exports: Recorded<Export>,
}

impl Collector {
    /// Starts on a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let received = Arc::new(Received::default());
        let app = Router::new()
            .route("/v1/traces", post(export))
            .route("/v1/metrics", post(export))
            .route("/v1/logs", post(export))
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .with_state(Arc::clone(&received));
        let (server, address) = listen(0, app, None).await?;
        Ok(Self { endpoint: format!("http://{address}"), received, server })
    }

    /// The endpoint of a collector that does not exist: a port of loopback that was free a moment ago.
    pub async fn dead_endpoint() -> io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(format!("http://{}", listener.local_addr()?))
    }

    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Changes how the collector answers from now on.
    pub fn answer(&self, answers: Answers) {
        *self.received.answers.lock() = answers;
    }

    /// Every span received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.spans.all()
    }

    /// Every span received so far, which is forgotten: for a run whose spans would not fit into memory.
    pub fn take_spans(&self) -> Vec<Span> {
        self.received.spans.take()
    }

    /// Every log record received so far, which is forgotten likewise.
    pub fn take_logs(&self) -> Vec<LogRecord> {
        self.received.logs.take()
    }

    /// Every log record received so far.
    pub fn logs(&self) -> Vec<LogRecord> {
        self.received.logs.all()
    }

    /// Waits for a log record that matches, which may have arrived before.
    pub async fn wait_for_log(&self, fits: impl Fn(&LogRecord) -> bool) -> LogRecord {
        self.received.logs.wait_for(fits).await
    }

    /// Every point of every metric received so far, in the order of the exports.
    pub fn metrics(&self) -> Vec<MetricPoint> {
        self.received.points.all()
    }

    /// Waits for a point that matches, which may have arrived before.
    pub async fn wait_for_metric(&self, fits: impl Fn(&MetricPoint) -> bool) -> MetricPoint {
        self.received.points.wait_for(fits).await
    }

    /// Waits until `look` returns a value for the points received so far.
    pub async fn wait_until_metrics<R>(&self, look: impl FnMut(&[MetricPoint]) -> Option<R>) -> R {
        self.received.points.wait_until(look).await
    }

    /// Every export so far, of any signal.
    pub fn exports(&self) -> Vec<Export> {
        self.received.exports.all()
    }

    /// Waits for a span that matches, which may have arrived before.
    pub async fn wait_for(&self, fits: impl Fn(&Span) -> bool) -> Span {
        self.received.spans.wait_for(fits).await
    }

    /// Waits until `look` returns a value for the spans received so far, such as a whole trace.
    pub async fn wait_until<R>(&self, look: impl FnMut(&[Span]) -> Option<R>) -> R {
        self.received.spans.wait_until(look).await
    }

    /// Waits for an export that matches, which may have arrived before.
    pub async fn wait_for_export(&self, fits: impl Fn(&Export) -> bool) -> Export {
        self.received.exports.wait_for(fits).await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn export(
    State(received): State<Arc<Received>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answers = *received.answers.lock();
    if let Answers::Slow(wait) = answers {
        tokio::time::sleep(wait).await;
    }
    let refusal = received.gate.as_ref().and_then(|gate| gate.refusal(&uri, &headers));
    let is_refused = refusal.is_some();
    let mut answer = match answers {
        _ if let Some(refusal) = refusal => refusal,
        Answers::Normal | Answers::Slow(_) => received.keep(uri.path(), &headers, &body),
        Answers::Partial(rejected) => {
            let error_message = "too old".to_owned();
            let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
            protobuf(ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
        }
        Answers::Garbage => protobuf(vec![0xff; 16]),
        Answers::Endless => endless(),
        Answers::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Answers::HangUp => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let hangs_up = answers == Answers::HangUp && !is_refused;
    received.exports.push(Export {
        path: uri.path().to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), shown(name, value))).collect(),
        bytes: body.len(),
        status: if hangs_up { 0 } else { answer.status().as_u16() },
    });
    if hangs_up {
        // If the body fails before its first byte, the server drops the connection.
        *answer.body_mut() = axum::body::Body::from_stream(futures::stream::iter([Err::<Bytes, _>(
            io::Error::other("hang up"),
        )]));
    }
    answer
}

impl Received {
    fn keep(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let body = match text(header::CONTENT_ENCODING) {
            None => Some(body.to_vec()),
            Some("gzip") => unzipped(body),
            Some(_) => None,
        };
        let (Some("application/x-protobuf"), Some(body)) = (text(header::CONTENT_TYPE), body) else {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        };
        let signal = path.rsplit('/').next().unwrap_or_default();
        let kept = match signal {
            "traces" => ExportTraceServiceRequest::decode(&*body)
                .map(|request| decode::spans(request).into_iter().for_each(|span| self.spans.push(span))),
            "metrics" => ExportMetricsServiceRequest::decode(&*body).map(|request| {
                for point in decode::metrics::points(request) {
                    self.points.push(point);
                }
            }),
            _ => ExportLogsServiceRequest::decode(&*body)
                .map(|request| decode::logs(request).into_iter().for_each(|record| self.logs.push(record))),
        };
        match kept {
            // An empty message is an empty body: everything was accepted.
            Ok(()) => protobuf(Vec::new()),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }
}

fn protobuf(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
}

fn unzipped(body: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(body).take(BODY_MAX as u64).read_to_end(&mut plain).ok().map(|_| plain)
}

fn endless() -> Response {
    let zeros = futures::stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 4_096])));
    axum::body::Body::from_stream(zeros).into_response()
}

/// A header in the form in which it may be kept.
fn shown(name: &header::HeaderName, value: &header::HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    if name != header::AUTHORIZATION {
        return text.into_owned();
    }
    let end: Vec<_> = text.chars().rev().take(8).collect();
    format!("…{}", end.iter().rev().collect::<String>())
}
