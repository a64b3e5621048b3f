//! Blob containers of a storage account, at the address of Resource Manager.
//!
//! After the REST reference: "List Blobs", "Get Blob", "Put Block", "Put Block List", "Specifying conditional headers for
//! Blob service operations", "Blob service error codes", and "Container-level WORM policies for immutable blob data".

use std::collections::BTreeMap;

use axum::{body::Bytes, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::peek::refusal;
use crate::{Emulator, answer::Answer, fault::Kind, refusal::Refusal, request::Request};

/// The most blobs of a page ("List Blobs", `maxresults`).
const PAGE_MAX: usize = 5_000;

/// A container.
#[derive(Debug)]
struct Container {
    blobs: BTreeMap<String, Vec<u8>>,
    /// The blocks of each blob that no list has committed, by their IDs.
    uncommitted: BTreeMap<String, BTreeMap<String, Bytes>>,
    page: usize,
    /// Whether a policy forbids to overwrite a blob.
    is_immutable: bool,
}

/// The containers, by their paths.
#[derive(Debug, Default)]
pub(crate) struct Containers(BTreeMap<String, Container>);

/// The kind of a request for a blob or a container; none for any other, such as one for a queue.
pub(super) fn kind(request: &Request) -> Option<Kind> {
    let is_of_blobs = request.header("x-ms-version").is_some()
        && request.parameter("peekonly").is_none()
        && (request.parameter("restype").as_deref() == Some("container")
            || request.path.trim_matches('/').contains('/'));
    if !is_of_blobs {
        return None;
    }
    Some(match (request.method.as_str(), request.parameter("comp").as_deref()) {
        ("PUT", Some("block")) => Kind::BlobBlock,
        ("PUT", _) => Kind::BlobCommit,
        _ => Kind::BlobRead,
    })
}

impl Emulator {
    /// Makes a container at this path. A page of its list has at most `page` blobs.
    pub fn put_container(&self, path: &str, page: usize) {
        let container = Container {
            blobs: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            page: page.min(PAGE_MAX),
            is_immutable: false,
        };
        self.inner.facts.containers.lock().0.insert(path.to_owned(), container);
    }

    /// Gives a container a time-based retention policy: no request can overwrite a blob.
    pub fn make_immutable(&self, path: &str) {
        if let Some(container) = self.inner.facts.containers.lock().0.get_mut(path) {
            container.is_immutable = true;
        }
    }

    /// The blobs of a container.
    pub fn blobs(&self, path: &str) -> BTreeMap<String, Vec<u8>> {
        let containers = self.inner.facts.containers.lock();
        containers.0.get(path).map(|container| container.blobs.clone()).unwrap_or_default()
    }

    /// Puts a blob as nobody but its owner could, or removes it.
    pub fn set_blob(&self, path: &str, name: &str, content: Option<Vec<u8>>) {
        if let Some(container) = self.inner.facts.containers.lock().0.get_mut(path) {
            match content {
                Some(content) => drop(container.blobs.insert(name.to_owned(), content)),
                None => drop(container.blobs.remove(name)),
            }
        }
    }

    pub(super) fn blob_answer(&self, request: &Request) -> Result<Answer, Refusal> {
        let mut containers = self.inner.facts.containers.lock();
        let is_container = request.parameter("restype").as_deref() == Some("container");
        let path = request.path.trim_end_matches('/');
        let (path, name) =
            if is_container { (path, "") } else { path.rsplit_once('/').unwrap_or((path, "")) };
        let container = containers.0.get_mut(path).ok_or_else(|| refusal(404, "ContainerNotFound"))?;
        match (request.method.as_str(), request.parameter("comp").as_deref()) {
            ("GET", Some("list")) if is_container => Ok(container.list(request)),
            ("GET", None) => container
                .blobs
                .get(name)
                .map(|content| Answer::text(StatusCode::OK, "application/json", content.clone()))
                .ok_or_else(|| refusal(404, "BlobNotFound")),
            ("PUT", Some("block")) => container.put_block(request, name),
            ("PUT", Some("blocklist")) => container.put_block_list(request, name),
            _ => Err(refusal(405, "UnsupportedHttpVerb")),
        }
    }
}

impl Container {
    fn list(&self, request: &Request) -> Answer {
        let marker = request.parameter("marker").unwrap_or_default();
        let after = self.blobs.keys().filter(|name| marker.is_empty() || name.as_str() >= marker.as_str());
        let names: Vec<_> = after.take(self.page + 1).collect();
        let mut blobs = String::new();
        for name in names.iter().take(self.page) {
            let length = self.blobs[*name].len().to_string();
            blobs += &["<Blob><Name>", name, "</Name><Properties><Content-Length>", &length].concat();
            blobs += "</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>";
        }
        let next = names.get(self.page).map_or("", |name| name.as_str());
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{blobs}</Blobs>\
             <NextMarker>{next}</NextMarker></EnumerationResults>"
        );
        Answer::text(StatusCode::OK, "application/xml", body)
    }

    fn put_block(&mut self, request: &Request, name: &str) -> Result<Answer, Refusal> {
        let id = request.parameter("blockid").unwrap_or_default();
        let bytes = STANDARD.decode(&id).ok().filter(|bytes| (1..=64).contains(&bytes.len()));
        let blocks = self.uncommitted.entry(name.to_owned()).or_default();
        // "For a specified blob, all block IDs must be the same length."
        if bytes.is_none() || blocks.keys().any(|other| other.len() != id.len()) {
            return Err(refusal(400, "InvalidBlobOrBlock"));
        }
        if request.body.is_empty() {
            return Err(refusal(400, "InvalidHeaderValue"));
        }
        blocks.insert(id, request.body.clone());
        Ok(Answer::empty(StatusCode::CREATED))
    }

    /// "Any blocks that are not specified in the block list are permanently deleted."
    fn put_block_list(&mut self, request: &Request, name: &str) -> Result<Answer, Refusal> {
        let is_conditional = request.header("if-none-match") == Some("*");
        if self.blobs.contains_key(name) && (is_conditional || self.is_immutable) {
            let code = if is_conditional { "BlobAlreadyExists" } else { "BlobImmutableDueToPolicy" };
            return Err(refusal(409, code));
        }
        let list = String::from_utf8_lossy(&request.body).into_owned();
        let ids = list.split("<Uncommitted>").skip(1).filter_map(|rest| rest.split("</Uncommitted>").next());
        let blocks = self.uncommitted.remove(name).unwrap_or_default();
        let parts: Option<Vec<&[u8]>> = ids.map(|id| blocks.get(id).map(|block| &block[..])).collect();
        let Some(parts) = parts else {
            self.uncommitted.insert(name.to_owned(), blocks);
            return Err(refusal(400, "InvalidBlockList"));
        };
        self.blobs.insert(name.to_owned(), parts.concat());
        Ok(Answer::empty(StatusCode::CREATED))
    }
}
