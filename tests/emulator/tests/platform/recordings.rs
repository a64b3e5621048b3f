//! The emulator's Functions host against recordings of the real host's code.
//!
//! They lie under `DISKSEAL_FIXTURES`, in the folder `host`, and are not part of this repository. Each case is given to
//! the emulator, and what comes out must be what was recorded: IDs, ports, times and the host's version aside.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request, Response},
};
use diskseal_emulator::host::{FunctionsHost, HostOptions, LOOK_OFTEN};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

mod calls;
mod event_grid;
mod outputs;
mod process;
mod queue;

/// The cases that are not replayed here, and why.
const LEFT_OUT: [(&str, &str); 26] = [
    ("end-to-end/end-to-end-conflict", RELEASE),
    ("end-to-end/end-to-end-kills", RELEASE),
    ("end-to-end/end-to-end-load", RELEASE),
    ("end-to-end/end-to-end-poison", RELEASE),
    ("end-to-end/end-to-end-sigterm", RELEASE),
    ("end-to-end/end-to-end-sweep", RELEASE),
    ("end-to-end/end-to-end-trace", RELEASE),
    ("end-to-end/idle-connections", RELEASE),
    ("event-grid/batch-parallel-40", ELIDED),
    ("event-grid/eventgrid-64k", ELIDED),
    ("event-grid/eventgrid-utf16", "the recording shows its body as broken UTF-8"),
    ("host/datatype-stream", "the emulator has no streams"),
    ("outputs/outputs-array-with-over-48k", ELIDED),
    ("outputs/outputs-body-deep", ELIDED),
    ("outputs/outputs-object-large-40k", ELIDED),
    ("outputs/outputs-object-over-48k", ELIDED),
    ("process/binary-not-executable-chmod-off", "whoever runs the tests may set the bit"),
    ("process/connections", "the number of connections is .NET's; the emulator's client has no limit either"),
    ("process/last-words-lost", "whether the last lines are lost is chance; the emulator reads them all"),
    ("process/start-wrong-endpoint", RELEASE),
    ("process/start-wrong-mode", RELEASE),
    ("queue/queue-idle-backoff", "chance; a test of the pauses has the recorded ones"),
    ("queue/queue-text-big-48k", ELIDED),
    (
        "timer/timer-past-due",
        "the emulator's timer fires when a test says so; the form is that of the other cases",
    ),
    ("trace/trace-none", "the emulator's host exports no spans"),
    ("trace/trace-otel", "the emulator's host exports no spans"),
];

const RELEASE: &str = "a run of the release binary, whose parts are other cases";
const ELIDED: &str = "the recording has only the start and the end of a long text";

const FOLDERS: [&str; 9] =
    ["end-to-end", "event-grid", "host", "manual", "outputs", "process", "queue", "timer", "trace"];

/// The folder of the recordings; none, said once, where they are not.
fn recordings() -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let found = std::env::var_os("DISKSEAL_FIXTURES").map(|path| Path::new(&path).join("host"));
    let found = found.filter(|folder| folder.is_dir());
    if found.is_none() {
        SAID.call_once(|| {
            let said = "skipped: DISKSEAL_FIXTURES names no folder with recordings of the Functions host";
            let _ = writeln!(std::io::stderr(), "{said}");
        });
    }
    found
}

/// The names of the cases in a folder, without those left out.
fn names(folder: &str) -> Vec<String> {
    let Some(root) = recordings() else { return Vec::new() };
    let files = fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
    let names = files.map(|path| format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap()));
    let mut names: Vec<_> = names.filter(|name| !LEFT_OUT.iter().any(|(out, _)| out == name)).collect();
    names.sort();
    names
}

/// A case. The functions had names with hyphens when it was recorded; both are equally long.
fn case(name: &str) -> Value {
    let path = recordings().unwrap().join(format!("{name}.json"));
    let recorded = fs::read_to_string(path).unwrap();
    let case = ["seal_on_write", "seal_queued"]
        .iter()
        .fold(recorded, |text, function| text.replace(&function.replace('_', "-"), function));
    serde_json::from_str(&case).unwrap()
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what}: {value}"))
}

/// An app with the functions of the recordings.
struct App {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl App {
    fn new(host: &Value, definitions: &[(&str, Value)]) -> Self {
        let app = Self { folder: tempfile::tempdir().unwrap(), settings: BTreeMap::new() };
        let mut file = json!({
            "version": "2.0",
            "extensionBundle": {
                "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)",
            },
            "customHandler": { "description": { "defaultExecutablePath": "handler", "arguments": ["serve"] } },
        });
        file.as_object_mut().unwrap().extend(host.as_object().unwrap().clone());
        fs::write(app.root().join("host.json"), file.to_string()).unwrap();
        for (name, bindings) in definitions {
            fs::create_dir(app.root().join(name)).unwrap();
            let definition = json!({ "bindings": bindings }).to_string();
            fs::write(app.root().join(name).join("function.json"), definition).unwrap();
        }
        app
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// An app setting.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    fn options(&self) -> HostOptions {
        let mut options = HostOptions::new(self.root());
        "4.1037.0".clone_into(&mut options.host_version);
        options.traceparent = false;
        options.settings.insert(LOOK_OFTEN.0.to_owned(), LOOK_OFTEN.1.to_owned());
        options.settings.extend(self.settings.clone());
        options
    }

    fn start(&self, handler: &Handler) -> FunctionsHost {
        FunctionsHost::start_in_process(self.options(), handler.router()).unwrap()
    }
}

fn event_function() -> (&'static str, Value) {
    let queue =
        json!({ "type": "queue", "direction": "out", "name": "pending", "queueName": "diskseal-pending" });
    ("seal_on_write", json!([{ "type": "eventGridTrigger", "direction": "in", "name": "event" }, queue]))
}

fn queue_function() -> (&'static str, Value) {
    let trigger = json!({
        "type": "queueTrigger", "direction": "in", "name": "message", "queueName": "diskseal-pending",
    });
    ("seal_queued", json!([trigger]))
}

fn timer_function() -> (&'static str, Value) {
    let trigger =
        json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *" });
    ("sweep", json!([trigger]))
}

/// A request as the handler got it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    path: String,
    /// In their order, with names in small letters.
    headers: Vec<(String, String)>,
    chunks: Vec<usize>,
    body: String,
}

/// A handler that records the requests, and answers as the recorded one did.
#[derive(Clone, Default)]
struct Handler {
    seen: Arc<Mutex<Vec<Seen>>>,
    reply: Arc<Mutex<Value>>,
}

impl Handler {
    fn answering(reply: &Value) -> Self {
        let handler = Self::default();
        *handler.reply.lock() = reply.clone();
        handler
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    fn router(&self) -> impl Fn() -> Router + Send + Sync + 'static {
        let handler = self.clone();
        move || {
            let handler = handler.clone();
            Router::new().fallback(move |request: Request<Body>| {
                let handler = handler.clone();
                async move { handler.answer(request).await }
            })
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut chunks: Vec<Vec<u8>> = Vec::new();
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            chunks.push(chunk.unwrap().to_vec());
        }
        let value = |name: &HeaderName| head.headers[name].to_str().unwrap().to_owned();
        self.seen.lock().push(Seen {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: head.headers.keys().map(|name| (name.to_string(), value(name))).collect(),
            chunks: chunks.iter().map(Vec::len).chain([0]).collect(),
            body: String::from_utf8(chunks.concat()).unwrap(),
        });
        reply(&self.reply.lock().clone())
    }
}

/// The recorded reply; where a case has none, it was the plainest success.
fn reply(given: &Value) -> Response<Body> {
    let plain = json!({ "status": 200, "headers": [["Content-Type", "application/json"]],
        "body": "{\"Outputs\":{},\"Logs\":[],\"ReturnValue\":null}" });
    let given = if given.is_null() { &plain } else { given };
    let status = given["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
    let mut response = Response::builder().status(status);
    let mut body = given["body"].as_str().unwrap_or_default().to_owned();
    for header in given["headers"].as_array().into_iter().flatten() {
        let (name, value) = (text(&header[0], "a header"), text(&header[1], "a header"));
        response = response.header(name, value);
        if name == "Content-Length" {
            body.truncate(value.parse().unwrap());
        }
    }
    if given["reset"] == 1 {
        let broken = futures::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("reset"))]);
        return response.body(Body::from_stream(broken)).unwrap();
    }
    response.body(Body::new(http_body_util::Full::from(body).map_err(axum::Error::new))).unwrap()
}

/// The recorded requests of a case.
fn recorded(case: &Value) -> Vec<Value> {
    let first = Some(&case["request"]).filter(|request| !request.is_null());
    first.into_iter().chain(case["moreRequests"].as_array().into_iter().flatten()).cloned().collect()
}

/// Compares the requests, in any order.
fn same_requests(name: &str, seen: &[Seen], recorded: &[Value]) {
    let mut ours: Vec<_> = seen.iter().map(|seen| masked(&seen.body)).collect();
    let mut theirs: Vec<_> = recorded.iter().map(|one| masked(text(&one["body"], name))).collect();
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs, "{name}");
    for (seen, recorded) in seen.iter().zip(recorded) {
        assert_eq!(
            (&seen.method, &seen.path),
            (
                &recorded["method"].as_str().unwrap().to_owned(),
                &recorded["path"].as_str().unwrap().to_owned()
            ),
            "{name}"
        );
        if let Some(headers) = recorded["headers"].as_array() {
            let theirs: Vec<_> = headers.iter().map(|one| header(&one[0], &one[1])).collect();
            let ours: Vec<_> =
                seen.headers.iter().map(|(name, value)| header(&json!(name), &json!(value))).collect();
            assert_eq!(ours, theirs, "{name}");
        }
        if let Some(chunks) = recorded["chunkSizes"].as_array() {
            let theirs = text(&recorded["body"], name).len();
            assert_eq!(chunks.iter().filter_map(Value::as_u64).collect::<Vec<_>>(), cut(theirs), "{name}");
            assert_eq!(
                seen.chunks.iter().map(|size| *size as u64).collect::<Vec<_>>(),
                cut(seen.body.len()),
                "{name}"
            );
        }
    }
}

/// The chunks of a body: 1,024 bytes each, then the rest and the end.
fn cut(length: usize) -> Vec<u64> {
    let whole = std::iter::repeat_n(1024, length / 1024);
    let rest = Some((length % 1024) as u64).filter(|rest| *rest > 0);
    whole.chain(rest).chain([0]).collect()
}

fn header(name: &Value, value: &Value) -> (String, String) {
    let name = name.as_str().unwrap().to_ascii_lowercase();
    let differs = matches!(name.as_str(), "host" | "x-azure-functions-invocationid");
    let value = if differs { "*" } else { value.as_str().unwrap() };
    (name, value.to_owned())
}

/// A body without what differs from run to run.
fn masked(body: &str) -> String {
    let mut body = body.to_owned();
    let time = |value: &str| {
        value.len() >= 25 && value.starts_with("2026-") || value.starts_with("2027-") || value.ends_with('Z')
    };
    for key in ["UtcNow", "RandGuid", "PopReceipt"] {
        body = mask(&body, key, |_| true);
    }
    body = mask(&body, "PopReceipt", |value| value.len() > 10);
    body = mask(&body, "Id", |value| value.trim_matches(['\\', '"']).len() == 36);
    for key in ["ExpirationTime", "InsertionTime", "NextVisibleTime"] {
        body = mask(&body, key, |value| value.ends_with("+00:00") && !value.starts_with("9999"));
    }
    for key in ["Last", "Next", "LastUpdated"] {
        body = mask(&body, key, |value| time(value) && !value.starts_with("0001"));
    }
    body
}

/// Replaces the texts of a member that fit.
fn mask(body: &str, key: &str, fits: impl Fn(&str) -> bool) -> String {
    let start = format!("\"{key}\":\"");
    let mut masked = String::new();
    let mut rest = body;
    while let Some(at) = rest.find(&start) {
        let (before, after) = rest.split_at(at + start.len());
        masked += before;
        let mut end = 0;
        let bytes = after.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        masked += if fits(&after[..end]) { "*" } else { &after[..end] };
        rest = &after[end..];
    }
    masked + rest
}

#[test]
fn few_recordings_are_left_out_and_no_folder_is_unknown() {
    let Some(root) = recordings() else { return };
    let folders = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS);
    for (name, _) in LEFT_OUT {
        assert!(root.join(format!("{name}.json")).is_file(), "{name}");
    }
    let replayed: usize = FOLDERS.iter().map(|folder| names(folder).len()).sum();
    assert_eq!(replayed + LEFT_OUT.len(), 336);
    assert!(["end-to-end", "trace"].iter().all(|folder| names(folder).is_empty()), "nothing replays these");
}
