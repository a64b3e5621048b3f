//! The endpoints as axum routers.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request as HttpRequest,
    response::Response,
};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;

use crate::{
    Emulator,
    answer::{Answer, Delivery},
    arm::Face,
    request::Request,
};

/// Marks a response that the server must not send: it breaks the connection instead. A server that does not
/// support the mark sends a body that breaks off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset;

/// The scheme of a request, which only the server knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme(pub(crate) &'static str);

impl Emulator {
    /// Resource Manager. Requests without a scheme count as plain HTTP.
    pub fn router(&self) -> Router {
        self.face_router(Face::ResourceManager)
    }

    /// The managed-identity endpoint: `/msi/token` as App Service has it, `/metadata/identity/oauth2/token` as
    /// virtual machines do.
    pub fn identity_router(&self) -> Router {
        self.face_router(Face::Identity)
    }

    fn face_router(&self, face: Face) -> Router {
        let emulator = self.clone();
        Router::new().fallback(move |request: HttpRequest| {
            let emulator = emulator.clone();
            async move {
                match read(request).await {
                    Some(request) => respond(emulator.deliver(face, request).await),
                    None => respond(Delivery::Reset),
                }
            }
        })
    }
}

/// The request with its whole body; none if the client disconnected meanwhile.
async fn read(request: HttpRequest) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let scheme = parts.extensions.get::<Scheme>().map_or("http", |scheme| scheme.0);
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    Some(Request {
        origin: format!("{scheme}://{host}"),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.collect().await.ok()?.to_bytes(),
    })
}

fn respond(delivery: Delivery) -> Response {
    match delivery {
        Delivery::Whole(answer) => response(answer.clone(), Body::from(answer.body)),
        Delivery::Half(mut answer) => {
            answer.set("content-length", &answer.body.len().to_string());
            let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
            // A server flushes its data when the body has no more to give for now; without the pause, the
            // break would also drop the head of the response.
            let rest = stream::once(async {
                tokio::task::yield_now().await;
                Err(broken())
            });
            let broken = Body::from_stream(stream::iter([Ok(half)]).chain(rest));
            response(answer, broken)
        }
        Delivery::Endless(answer) => {
            let beginning = Bytes::from(answer.body.clone());
            let body = stream::iter([beginning]).chain(stream::repeat(blanks())).map(Ok::<_, std::io::Error>);
            response(answer, Body::from_stream(body))
        }
        Delivery::Reset => {
            let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(broken())]));
            let mut response = Response::new(broken);
            response.extensions_mut().insert(Reset);
            response
        }
    }
}

fn response(answer: Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// A part of a body without end.
pub(crate) fn blanks() -> Bytes {
    Bytes::from_static(&[b' '; 16 * 1024])
}

pub(crate) fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by peer")
}
