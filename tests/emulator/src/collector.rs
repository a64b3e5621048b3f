//! A receiver of OTLP over HTTP/protobuf on loopback, which can also be slow, wrong or dead.

mod decode;
mod metric;
mod span;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::metric::{MetricData, MetricPoint, Temporality};
pub use self::span::{Attributes, Span, SpanEvent, SpanKind, SpanLink, Status};

use crate::recorded::Recorded;

/// How the collector answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// As it should.
    #[default]
    Normal,
    /// As it should, after a wait.
    Slow(Duration),
    /// With 200 and bytes that are no protobuf.
    Garbage,
    /// With this status and no body. Nothing of the export is kept.
    Status(u16),
    /// By closing the connection without an answer. Nothing of the export is kept.
    HangUp,
}

/// One export that arrived, whatever it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The request's path: `/v1/traces`, `/v1/metrics` or `/v1/logs`.
    pub path: String,
    /// The request's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The length of the body in bytes.
    pub bytes: usize,
    /// The status that the export was answered with; 0 if the connection was closed instead.
    pub status: u16,
}

/// A running receiver. It closes its port when it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Received>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Received {
    answers: Mutex<Answers>,
    spans: Recorded<Span>,
    points: Recorded<MetricPoint>,
    exports: Recorded<Export>,
}

impl Collector {
    /// Starts on a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let received = Arc::new(Received::default());
        let app = Router::new()
            .route("/v1/traces", post(export))
            .route("/v1/metrics", post(export))
            .route("/v1/logs", post(export))
            .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state(Arc::clone(&received));
        // It serves until it is aborted.
        let server = tokio::spawn(async move { drop(axum::serve(listener, app).await) });
        Ok(Self { address, received, server })
    }

    /// The endpoint of a collector that is not there: a port of loopback that was free a moment ago.
    pub async fn dead_endpoint() -> io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(format!("http://{}", listener.local_addr()?))
    }

    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how the collector answers from now on.
    pub fn answer(&self, answers: Answers) {
        *self.received.answers.lock() = answers;
    }

    /// Every span received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.spans.all()
    }

    /// Every point of every metric received so far, each export's after the one's before.
    pub fn metrics(&self) -> Vec<MetricPoint> {
        self.received.points.all()
    }

    /// Waits for a point that fits, which may have arrived before.
    pub async fn wait_for_metric(&self, fits: impl Fn(&MetricPoint) -> bool) -> MetricPoint {
        self.received.points.wait_for(fits).await
    }

    /// Waits until the points received so far make what `look` looks for.
    pub async fn wait_until_metrics<R>(&self, look: impl FnMut(&[MetricPoint]) -> Option<R>) -> R {
        self.received.points.wait_until(look).await
    }

    /// Every export so far, of any signal.
    pub fn exports(&self) -> Vec<Export> {
        self.received.exports.all()
    }

    /// Waits for a span that fits, which may have arrived before.
    pub async fn wait_for(&self, fits: impl Fn(&Span) -> bool) -> Span {
        self.received.spans.wait_for(fits).await
    }

    /// Waits until the spans received so far make what `look` looks for, a whole trace for instance.
    pub async fn wait_until<R>(&self, look: impl FnMut(&[Span]) -> Option<R>) -> R {
        self.received.spans.wait_until(look).await
    }

    /// Waits for an export that fits, which may have arrived before.
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
    let mut answer = match answers {
        Answers::Normal | Answers::Slow(_) => received.keep(uri.path(), &headers, &body),
        Answers::Garbage => protobuf(vec![0xff; 16]),
        Answers::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Answers::HangUp => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    received.exports.push(Export {
        path: uri.path().to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        bytes: body.len(),
        status: if answers == Answers::HangUp { 0 } else { answer.status().as_u16() },
    });
    if answers == Answers::HangUp {
        // A body that fails before its first byte makes the server drop the connection.
        *answer.body_mut() = axum::body::Body::from_stream(futures::stream::iter([Err::<Bytes, _>(
            io::Error::other("hang up"),
        )]));
    }
    answer
}

impl Received {
    fn keep(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type != Some("application/x-protobuf") || headers.contains_key(header::CONTENT_ENCODING) {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        let kept = match path {
            "/v1/traces" => ExportTraceServiceRequest::decode(body)
                .map(|request| decode::spans(request).into_iter().for_each(|span| self.spans.push(span))),
            "/v1/metrics" => ExportMetricsServiceRequest::decode(body).map(|request| {
                for point in decode::metrics::points(request) {
                    self.points.push(point);
                }
            }),
            _ => ExportLogsServiceRequest::decode(body).map(drop),
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
