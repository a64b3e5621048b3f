//! A blob container, as the identity that may write to it alone: no key and no signature.
//!
//! Sources: "List Blobs", "Get Blob", "Put Block", "Put Block List" and "Specifying conditional headers for Blob service
//! operations" of the Blob service REST API; "Authorize with Microsoft Entra ID (REST API)".

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    time::Duration,
};

use azure_core::{Bytes, http::Url};
use backon::BackoffBuilder;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH},
};
use time::Date;
use tokio::time::Instant;
use tracing::{Span, field::Empty, info_span};
use uuid::Uuid;

use super::{
    Error,
    fetched::{Fetched, Sha256, day_of},
};
use crate::{
    azure::{Fault, Identity, Response, Terms, Transport, header, host},
    telemetry::{Wait, metrics, wait},
};

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
/// Tokens are accepted since 2017-11-09.
const VERSION_VALUE: HeaderValue = HeaderValue::from_static("2021-12-02");
const BLOB_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-content-type");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The size of a block. All of it is in memory; a blob has room for 50,000 ("Put Block", remarks).
const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// The longest page of a list: 5,000 blobs with their properties.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum number of pages of a list. A file a day fills one in thirteen years.
const PAGES_MAX: usize = 20;
/// The longest file. A report on 100,000 resources has about 130 MB.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// How long one attempt may take until its answer begins.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of attempts for one request.
const ATTEMPTS_MAX: usize = 4;

/// The `error.type` of a request without an answer.
const UNREACHABLE: &str = "unreachable";

const LIST: &str = "/{container}?comp=list";
const BLOB: &str = "/{container}/{blob}";

/// The service does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: the container answers {status} {}", code.as_deref().unwrap_or("without a code"))]
pub struct Refusal {
    /// What was asked.
    pub what: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The service's code ("Blob service error codes").
    pub code: Option<String>,
}

/// A blob container.
#[derive(Debug)]
pub struct Container {
    url: Url,
    transport: Transport,
    identity: Identity,
}

/// A request, as it is sent again and again.
struct Call<'a> {
    what: &'static str,
    /// `GET` or `PUT`.
    method: &'static str,
    template: &'static str,
    url: &'a Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Container {
    /// The container at this URL. The identity's audience is Storage's.
    pub fn new(url: Url, transport: Transport, identity: Identity) -> Self {
        Self { url, transport, identity }
    }

    /// The days that have a file, in order.
    ///
    /// # Errors
    /// The container cannot be listed.
    pub(super) async fn days(&self, terms: Terms) -> Result<Vec<Date>, Error> {
        let (mut days, mut marker) = (vec![], String::new());
        for _ in 0..PAGES_MAX {
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("restype", "container").append_pair("comp", "list");
            if !marker.is_empty() {
                url.query_pairs_mut().append_pair("marker", &marker);
            }
            let call = Call::get("listing the evidence", LIST, &url);
            let body = self.send(&call, terms).await?.body.bounded(PAGE_BYTES_MAX).await;
            let body = body
                .map_err(|fault| broken(&fault, &url))?
                .ok_or_else(|| unreadable("the list of blobs is too long"))?;
            let (names, next) = names(&body)?;
            days.extend(names.iter().filter_map(|name| day_of(name)));
            if next.is_empty() {
                days.sort_unstable();
                return Ok(days);
            }
            marker = next;
        }
        Err(unreadable("the list of blobs has no end"))
    }

    /// Reads a file into a temporary one.
    pub(super) async fn fetch(&self, name: &str, terms: Terms) -> Result<Fetched, Error> {
        let url = self.blob(name);
        let mut body = self.send(&Call::get("reading the evidence", BLOB, &url), terms).await?.body;
        let (mut file, mut hash, mut read) = (tempfile::tempfile()?, Sha256::new(), 0);
        loop {
            let part = tokio::time::timeout_at(terms.until(), body.part()).await;
            let Some(part) = part.map_err(|_| Error::Deadline)?.map_err(|fault| broken(&fault, &url))? else {
                break;
            };
            read += part.len() as u64;
            if read > FILE_BYTES_MAX {
                return Err(unreadable("a file of evidence is too long"));
            }
            hash.add(&part);
            file.write_all(&part)?;
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(Fetched { name: name.to_owned(), sha256: hash.finish(), file })
    }

    /// Writes a file, unless there is one of this name; returns whether it has. Blocks are no part of a blob until their
    /// list is put, and a list is put once: the second instance of a day finds the first one's blob.
    pub(super) async fn put(&self, name: &str, mut file: File, terms: Terms) -> Result<bool, Error> {
        // All block IDs of a blob have the same length, those of other instances included.
        let upload = Uuid::new_v4().simple();
        let mut ids = vec![];
        file.seek(SeekFrom::Start(0))?;
        loop {
            let mut block = Vec::with_capacity(BLOCK_BYTES);
            (&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            let id = STANDARD.encode(format!("{upload}-{:06}", ids.len()));
            let mut url = self.blob(name);
            url.query_pairs_mut().append_pair("comp", "block").append_pair("blockid", &id);
            let call = Call::put("uploading the evidence", &url, block.into());
            self.send(&call, terms).await?;
            ids.push(id);
        }
        let list = ids.iter().flat_map(|id| ["<Uncommitted>", id.as_str(), "</Uncommitted>"]);
        let list: String = ["<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"]
            .into_iter()
            .chain(list)
            .chain(["</BlockList>"])
            .collect();
        let mut url = self.blob(name);
        url.query_pairs_mut().append_pair("comp", "blocklist");
        let mut call = Call::put("writing the evidence", &url, list.into());
        call.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        call.headers.insert(BLOB_CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.send(&call, terms).await {
            Ok(_) => Ok(true),
            // Another instance was first, or an attempt without an answer was applied.
            Err(Error::Refused(Refusal { status: 409 | 412, .. })) => Ok(false),
            // The commit of another instance has discarded these blocks.
            Err(Error::Refused(refusal)) if refusal.code.as_deref() == Some("InvalidBlockList") => {
                let is_there = self.days(terms).await?.iter().any(|day| Some(*day) == day_of(name));
                if is_there { Ok(false) } else { Err(refusal.into()) }
            }
            Err(error) => Err(error),
        }
    }

    fn blob(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{name}", self.url.path().trim_end_matches('/')));
        url
    }

    /// Sends until there is an answer that another attempt would not change, or no time for one.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    async fn send(&self, call: &Call<'_>, terms: Terms) -> Result<Response, Error> {
        let mut backoff = backon::ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .with_max_times(ATTEMPTS_MAX - 1)
            .build();
        let mut is_renewed = false;
        loop {
            let authorization = self.identity.authorization(terms).await?;
            let error = match self.attempt(call, &authorization.value, terms).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if matches!(&error, Error::Refused(Refusal { status: 401, .. }))
                && !is_renewed
                && self.identity.renew(&authorization)
            {
                is_renewed = true;
                continue;
            }
            let is_passing = match &error {
                Error::Unreachable(_) => true,
                // "Common REST API error codes": 500 and 503 are to be retried.
                Error::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500..=504),
                _ => false,
            };
            match backoff.next().filter(|pause| is_passing && terms.allow(*pause)) {
                Some(pause) => wait(Wait::Retry, tokio::time::sleep(pause)).await,
                None => return Err(error),
            }
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        authorization: &HeaderValue,
        terms: Terms,
    ) -> Result<Response, Error> {
        let mut request =
            Request::new(if call.body.is_some() { Method::PUT } else { Method::GET }, call.url.clone());
        *request.headers_mut() = call.headers.clone();
        request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        request.headers_mut().insert(VERSION, VERSION_VALUE);
        *request.body_mut() = call.body.clone().map(Into::into);
        let (span, started) = (span(call), Instant::now());
        let until = terms.until().min(started + ATTEMPT_TIMEOUT);
        let answer = tokio::time::timeout_at(until, self.transport.send(request)).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(|fault| broken(&fault, call.url)),
            Err(_) => Err(Error::Unreachable(format!("{} did not answer in time", host(call.url)))),
        };
        let status = answer.as_ref().ok().map(|response| response.status);
        span.record("http.response.status_code", status.map(i64::from));
        let request_id = answer.as_ref().ok().and_then(|response| header(&response.headers, &REQUEST_ID));
        span.record("azure.service.request.id", request_id);
        let result = answer.and_then(|response| {
            if (200..300).contains(&response.status) {
                return Ok(response);
            }
            let code = header(&response.headers, &ERROR_CODE).map(str::to_owned);
            Err(Refusal { what: call.what, status: response.status, code }.into())
        });
        metrics::requested(
            metrics::Request {
                method: call.method,
                template: call.template,
                address: call.url.host_str().unwrap_or_default(),
                port: call.url.port_or_known_default(),
                status,
                fault: status.is_none().then_some(UNREACHABLE),
            },
            started.elapsed().as_secs_f64(),
        );
        if let Err(error) = &result {
            match status {
                Some(status) => span.record("error.type", tracing::field::display(status)),
                None => span.record("error.type", UNREACHABLE),
            };
            span.record("otel.status_code", "ERROR");
            if let Error::Refused(refusal) = error {
                span.record("azure.error.code", refusal.code.as_deref());
            }
        }
        result
    }
}

impl<'a> Call<'a> {
    fn get(what: &'static str, template: &'static str, url: &'a Url) -> Self {
        Self { what, method: "GET", template, url, headers: HeaderMap::new(), body: None }
    }

    fn put(what: &'static str, url: &'a Url, body: Bytes) -> Self {
        let content_type = (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let headers = HeaderMap::from_iter([content_type]);
        Self { what, method: "PUT", template: BLOB, url, headers, body: Some(body) }
    }
}

/// "Semantic conventions for HTTP client spans" and "Semantic conventions for Azure SDKs".
fn span(call: &Call<'_>) -> Span {
    info_span!(
        "blob",
        otel.name = format_args!("{} {}", call.method, call.template),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = call.method,
        http.response.status_code = Empty,
        error.type = Empty,
        url.full = url_full(call.url),
        server.address = call.url.host_str(),
        server.port = call.url.port_or_known_default().map(i64::from),
        url.template = call.template,
        azure.resource_provider.namespace = "Microsoft.Storage",
        azure.service.request.id = Empty,
        azure.error.code = Empty,
    )
}

/// The URL without its query, which the template stands for.
fn url_full(url: &Url) -> String {
    url.origin().ascii_serialization() + url.path()
}

fn broken(fault: &Fault, url: &Url) -> Error {
    Error::Unreachable(fault.at(url))
}

fn unreadable(why: &str) -> Error {
    Error::Unreadable(why.to_owned())
}

/// The names of a page, and where the next one begins; empty at the end ("List Blobs", response body). It is UTF-8, and may
/// begin with a byte order mark.
fn names(page: &[u8]) -> Result<(Vec<String>, String), Error> {
    let text = std::str::from_utf8(page).map_err(|_| unreadable("the list of blobs is not UTF-8"))?;
    let document = roxmltree::Document::parse(text.trim_start_matches('\u{feff}'))
        .map_err(|fault| Error::Unreadable(format!("the list of blobs is not XML: {fault}")))?;
    let root = document.root_element();
    if !root.has_tag_name("EnumerationResults") {
        return Err(unreadable("the answer is not a list of blobs"));
    }
    let blobs = root.children().filter(|node| node.has_tag_name("Blobs")).flat_map(|blobs| blobs.children());
    let member = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children().find(|child| child.has_tag_name(name))?.text().map(str::to_owned)
    };
    let names = blobs.filter(|node| node.has_tag_name("Blob")).filter_map(|blob| member(blob, "Name"));
    Ok((names.collect(), member(root, "NextMarker").unwrap_or_default()))
}

#[test]
fn a_page_of_a_list_is_read_and_what_is_none_is_not() {
    let page = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults ContainerName=\"c\"><Blobs>\
                <Blob><Name>2026-11-26.json</Name><Properties/></Blob><BlobPrefix><Name>x/</Name></BlobPrefix>\
                <Blob><Name>a&amp;b</Name></Blob></Blobs><NextMarker>2!4</NextMarker></EnumerationResults>";
    let (read, next) = names(page.as_bytes()).unwrap_or_default();
    assert_eq!((read, next.as_str()), (vec!["2026-11-26.json".to_owned(), "a&b".to_owned()], "2!4"));
    for other in ["", "{}", "<QueueMessagesList/>", "<EnumerationResults>"] {
        assert!(matches!(names(other.as_bytes()), Err(Error::Unreadable(_))), "{other}");
    }
}
