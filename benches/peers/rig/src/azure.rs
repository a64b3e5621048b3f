//! Azure in memory, over plain HTTP on loopback: the requests of a seal, a managed identity, and a collector that keeps
//! nothing. A disk exists from the first request for it.
//!
//! `GET /rig` returns how many requests there were, and how many of the disks have the mode; `POST /rig` forgets both.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    net::Ipv4Addr,
    rc::Rc,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::Fault;

const TAGS: &str = "/providers/microsoft.resources/tags/default";
const MODE: &str = "AzureActiveDirectory";

type Answer = Response<Full<Bytes>>;

#[derive(Default)]
struct State {
    disks: HashMap<String, Disk>,
    requests: BTreeMap<&'static str, u64>,
}

struct Disk {
    mode: String,
    tags: Map<String, Value>,
}

impl Default for Disk {
    fn default() -> Self {
        let tags = [("env", "prod"), ("owner", "team-a"), ("costCenter", "1234")];
        let tags = tags.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        Self { mode: "None".to_owned(), tags: tags.collect() }
    }
}

/// Serves until the process is stopped.
pub async fn serve() -> Result<(), Fault> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let state = Rc::new(RefCell::new(State::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let state = Rc::clone(&state);
        let service = service_fn(move |request| answer(Rc::clone(&state), request));
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        // A handler that is stopped closes its connections in whatever state they are.
        tokio::task::spawn_local(async move { drop(connection.await) });
    }
}

async fn answer(state: Rc<RefCell<State>>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Ok(state.borrow_mut().answer(&method, &path, &body))
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> Answer {
        let id = path.to_ascii_lowercase();
        match (method.as_str(), id.as_str()) {
            ("GET", "/rig") => return json_of(&self.figures()),
            ("POST", "/rig") => {
                *self = Self::default();
                return json_of(&json!({}));
            }
            ("GET", "/msi/token") => return json_of(&token()),
            ("POST", "/v1/traces" | "/v1/metrics" | "/v1/logs") => {
                return with("application/x-protobuf", Vec::new());
            }
            _ => {}
        }
        let (kind, found) = match (method.as_str(), id.strip_suffix(TAGS)) {
            ("PATCH", Some(scope)) => ("tags", self.merge_tags(scope, body)),
            (_, None) if is_disk(&id) => self.disk(method, path, &id, body),
            ("GET", None) if id.ends_with("/providers/microsoft.compute") => ("provider", Some(provider())),
            ("POST", None) if id.ends_with("/microsoft.resourcegraph/resources") => {
                ("query", Some(no_rows()))
            }
            ("GET", None) if id.ends_with("/microsoft.authorization/permissions") => {
                ("permissions", Some(all_rights()))
            }
            _ => ("unknown", None),
        };
        *self.requests.entry(kind).or_default() += 1;
        found.as_ref().map_or_else(|| refusal(method, path), json_of)
    }

    fn disk(&mut self, method: &Method, path: &str, id: &str, body: &[u8]) -> (&'static str, Option<Value>) {
        let disk = self.disks.entry(id.to_owned()).or_default();
        match method.as_str() {
            "GET" => ("read", Some(disk.shown(path))),
            "PATCH" => {
                let change: Value = serde_json::from_slice(body).unwrap_or_default();
                if let Some(mode) = change["properties"]["dataAccessAuthMode"].as_str() {
                    mode.clone_into(&mut disk.mode);
                }
                // "Disks - Update": the tags of the request take the place of all tags.
                if let Value::Object(tags) = &change["tags"] {
                    disk.tags.clone_from(tags);
                }
                ("write", Some(disk.shown(path)))
            }
            _ => ("unknown", None),
        }
    }

    /// "Tags - Update At Scope": Merge adds to the tags, Replace takes their place.
    fn merge_tags(&mut self, scope: &str, body: &[u8]) -> Option<Value> {
        let change: Value = serde_json::from_slice(body).ok()?;
        let tags = change["properties"]["tags"].as_object()?;
        let disk = self.disks.entry(scope.to_owned()).or_default();
        if change["operation"] == "Replace" {
            disk.tags.clear();
        }
        disk.tags.extend(tags.clone());
        Some(json!({"properties": {"tags": disk.tags}}))
    }

    fn figures(&self) -> Value {
        let sealed = self.disks.values().filter(|disk| disk.mode == MODE).count();
        json!({"requests": self.requests, "disks": self.disks.len(), "sealed": sealed})
    }
}

impl Disk {
    /// The members that Azure returns for an empty disk of 128 GiB.
    fn shown(&self, id: &str) -> Value {
        json!({
            "id": id, "name": id.rsplit('/').next(), "type": "Microsoft.Compute/disks", "location": "westeurope",
            "tags": self.tags, "sku": {"name": "Premium_LRS", "tier": "Premium"},
            "properties": {
                "osType": "Linux", "hyperVGeneration": "V2", "creationData": {"createOption": "Empty"},
                "diskSizeGB": 128, "diskSizeBytes": 137_438_953_472_u64, "diskIOPSReadWrite": 500,
                "diskMBpsReadWrite": 100, "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
                "networkAccessPolicy": "AllowAll", "publicNetworkAccess": "Enabled", "tier": "P10",
                "timeCreated": "2026-01-01T00:00:00.0000000+00:00", "provisioningState": "Succeeded",
                "diskState": "Unattached", "uniqueId": "11111111-2222-4333-8444-555555555555",
                "dataAccessAuthMode": self.mode,
            },
        })
    }
}

fn is_disk(id: &str) -> bool {
    let mut parts = id.rsplit('/');
    parts.next().is_some()
        && matches!(parts.next(), Some("disks" | "snapshots"))
        && id.contains("/resourcegroups/")
}

/// What a client asks for to choose an API version.
fn provider() -> Value {
    let kind = |name: &str| {
        json!({"resourceType": name, "locations": ["West Europe"], "apiVersions": ["2024-03-02", "2023-10-02"],
               "defaultApiVersion": "2024-03-02"})
    };
    json!({"namespace": "Microsoft.Compute", "registrationState": "Registered",
           "resourceTypes": [kind("disks"), kind("snapshots")]})
}

/// A role with every action.
fn all_rights() -> Value {
    json!({"value": [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}]})
}

/// No backup protects anything.
fn no_rows() -> Value {
    json!({"totalRecords": 0, "count": 0, "resultTruncated": "false", "data": []})
}

/// The first of January 2100, in seconds since 1970.
const END: &str = "4102444800";

/// A token without a signature, as no client reads one.
fn token() -> Value {
    // {"alg":"RS256"} and {"oid":"99999999-2222-4333-8444-555555555555"} in base64url.
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiI5OTk5OTk5OS0yMjIyLTQzMzMtODQ0NC01NTU1NTU1NTU1NTUifQ.c2ln";
    json!({"access_token": token, "expires_on": END, "resource": "r", "token_type": "Bearer"})
}

fn refusal(method: &Method, path: &str) -> Answer {
    eprintln!("rig: no answer for {method} {path}");
    let mut answer =
        json_of(&json!({"error": {"code": "NotFound", "message": "there is no such request here"}}));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

fn json_of(value: &Value) -> Answer {
    with("application/json; charset=utf-8", value.to_string().into_bytes())
}

fn with(content_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-ms-request-id", HeaderValue::from_static("6e7a9d0e-0000-4000-8000-000000000000"));
    headers.insert("x-ms-ratelimit-remaining-subscription-reads", HeaderValue::from_static("11999"));
    answer
}
