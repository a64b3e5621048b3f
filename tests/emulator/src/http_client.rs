//! The emulator as the Azure SDK's transport: no sockets, so that it works on a paused clock.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
};
use azure_core::{
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, Body, HttpClient, Request as SdkRequest, StatusCode, headers::Headers},
};
use futures::{StreamExt, stream};

use crate::{
    Emulator,
    answer::{Answer, Delivery},
    arm::Face,
    request::Request,
    router::{blanks, broken},
};

impl Emulator {
    /// This Azure as a transport. Requests to the paths of the managed-identity endpoint go there, with any
    /// host; all others go to Resource Manager, which acts as that host.
    pub fn http_client(&self) -> Arc<dyn HttpClient> {
        Arc::new(InProcess(self.clone()))
    }
}

struct InProcess(Emulator);

impl fmt::Debug for InProcess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("InProcess")
    }
}

#[async_trait]
impl HttpClient for InProcess {
    async fn execute_request(&self, request: &SdkRequest) -> azure_core::Result<AsyncRawResponse> {
        let request = read(request)?;
        match self.0.deliver(Face::by_path(&request.path), request).await {
            Delivery::Whole(answer) => {
                let (status, headers) = head(&answer);
                Ok(AsyncRawResponse::from_bytes(status, headers, answer.body))
            }
            Delivery::Half(answer) => {
                let (status, headers) = head(&answer);
                let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
                let body = stream::iter([Ok(half), Err(reset())]);
                Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
            }
            Delivery::Endless(answer) => {
                let (status, mut headers) = head(&answer);
                headers.remove("content-length");
                let body = stream::iter([Bytes::from(answer.body)]).chain(stream::repeat(blanks())).map(Ok);
                Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
            }
            Delivery::Reset => Err(reset()),
        }
    }
}

fn reset() -> Error {
    Error::new(ErrorKind::Io, broken())
}

fn read(request: &SdkRequest) -> azure_core::Result<Request> {
    let url = request.url();
    let method = Method::from_bytes(request.method().as_ref().as_bytes())
        .map_err(|error| Error::new(ErrorKind::DataConversion, error))?;
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().iter() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.as_str())) {
            headers.insert(name, value);
        }
    }
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => {
            let message = "Resource Manager is never sent a stream";
            return Err(Error::with_message(ErrorKind::Io, message));
        }
    };
    Ok(Request {
        origin: url.origin().ascii_serialization(),
        method,
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

fn head(answer: &Answer) -> (StatusCode, Headers) {
    let mut headers = Headers::new();
    for (name, value) in &answer.headers {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    headers.insert("content-length", answer.body.len().to_string());
    (StatusCode::from(answer.status.as_u16()), headers)
}
