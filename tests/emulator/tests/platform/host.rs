//! What the host sends, and how it handles replies.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use diskseal_emulator::{
    event_grid::Endpoint as _,
    host::{
        Failure, FunctionsHost, HostError, HostOptions, Invocation, Level, Stream, Trigger, Verdict, stage,
    },
    queue::Encoding,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const FUNCTIONS: [(&str, &str); 4] = [
    (
        "on-write",
        r#"{"bindings":[{"type":"eventGridTrigger","direction":"in","name":"event"},
        {"type":"queue","direction":"out","name":"pending","queueName":"out","connection":"AzureWebJobsStorage"}]}"#,
    ),
    (
        "on-many",
        r#"{"bindings":[{"type":"eventGridTrigger","direction":"in","name":"events","cardinality":"many"}]}"#,
    ),
    ("tick", r#"{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"%CRON%"}]}"#),
    (
        "queued",
        r#"{"bindings":[{"type":"queueTrigger","direction":"in","name":"message","queueName":"in"}]}"#,
    ),
];

fn host_json() -> Value {
    json!({
        "version": "2.0",
        "telemetryMode": "OpenTelemetry",
        "extensionBundle": {
            "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)",
        },
        "customHandler": { "description": { "defaultExecutablePath": "handler", "arguments": ["serve", "%CRON%"] } },
        "extensions": { "queues": { "visibilityTimeout": "00:00:00", "maxDequeueCount": 2 } },
    })
}

/// An app with the puppet as its handler.
pub(crate) struct App {
    folder: TempDir,
    pub(crate) settings: BTreeMap<String, String>,
}

impl App {
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        let app = Self { folder: tempfile::tempdir().unwrap(), settings: BTreeMap::new() };
        let source = app.folder.path().join("repository");
        for (name, definition) in FUNCTIONS {
            let function = source.join("function-definitions").join(name);
            fs::create_dir_all(&function).unwrap();
            fs::write(function.join("function.json"), definition).unwrap();
        }
        fs::write(source.join("host.json"), host_json().to_string()).unwrap();
        stage(&source, Path::new(env!("CARGO_BIN_EXE_puppet")), &app.root()).unwrap();
        let settings = settings.iter().chain(&[("CRON", "0 0 * * * *")]);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { settings, ..app }
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("app")
    }

    pub(crate) fn options(&self) -> HostOptions {
        HostOptions { settings: self.settings.clone(), ..HostOptions::new(self.root()) }
    }

    pub(crate) fn start(&self) -> FunctionsHost {
        FunctionsHost::start(self.options()).unwrap()
    }
}

/// A host with a handler that answers. The app's folder lives as long as the first part.
pub(crate) async fn started(settings: &[(&str, &str)]) -> (App, FunctionsHost) {
    let app = App::new(settings);
    let host = app.start();
    host.ready().await.unwrap();
    (app, host)
}

/// An event that instructs the puppet.
pub(crate) fn event(script: &Value) -> Value {
    json!({ "id": "e1", "specversion": "1.0", "data": { "puppet": script } })
}

pub(crate) async fn play(host: &FunctionsHost, script: Value) -> Invocation {
    host.invoke("on-write", Trigger::Event(event(&script))).await.unwrap()
}

/// The request of an invocation, as the puppet received it.
async fn seen(host: &FunctionsHost, invocation: &Invocation) -> Value {
    let line =
        host.wait_for_line(|line| line.text.contains("request") && line.text.contains(&invocation.id)).await;
    serde_json::from_str::<Value>(&line.text).unwrap()["request"].clone()
}

#[tokio::test]
async fn the_handler_starts_with_the_host_s_environment_the_settings_and_five_variables() {
    let app = App::new(&[("DISKSEAL_X", "1"), ("PUPPET_STDERR", "a WARNing")]);
    let host = app.start();
    host.ready().await.unwrap();
    let line = host.wait_for_line(|line| line.text.contains("started")).await;
    let started = &serde_json::from_str::<Value>(&line.text).unwrap()["started"];
    let environment = started["environment"].as_object().unwrap();
    let names: Vec<_> = environment.keys().map(String::as_str).collect();
    let mut expected = vec![
        "CRON",
        "DISKSEAL_X",
        "DOTNET_RUNNING_IN_CONTAINER",
        "FUNCTIONS_APP_ROOT_PATH",
        "FUNCTIONS_CUSTOMHANDLER_PORT",
        "FUNCTIONS_CUSTOMHANDLER_WORKER_ID",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_HTTPWORKER_ID",
        "FUNCTIONS_HTTPWORKER_PORT",
        "HOME",
        "PATH",
        "PUPPET_STDERR",
    ];
    let mut names = names;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(environment["FUNCTIONS_CUSTOMHANDLER_PORT"], host.port().to_string());
    assert_eq!(environment["FUNCTIONS_APP_ROOT_PATH"], app.root().to_str().unwrap());
    assert_eq!(started["arguments"], json!(["serve", "0", "0", "*", "*", "*", "*"]));
    assert_eq!(Path::new(started["folder"].as_str().unwrap()), app.root().canonicalize().unwrap());
    assert_eq!(host.wait_for_line(|line| line.stream == Stream::Stderr).await.level, Level::Warning);
}

#[tokio::test]
async fn an_invocation_is_a_chunked_post_with_the_host_s_headers() {
    let (_app, host) = started(&[]).await;
    let invocation = play(&host, json!({})).await;
    assert_eq!(
        (&invocation.verdict, invocation.logs.as_slice()),
        (&Verdict::Succeeded, &["done".to_owned()][..])
    );
    let request = seen(&host, &invocation).await;
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/on-write")));
    let headers = &request["headers"];
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers["x-azure-functions-hostversion"], "4.1052.200.0");
    assert_eq!(headers["user-agent"], "Azure-Functions-Host/4.1052.200.0");
    assert_eq!(headers["traceparent"], invocation.traceparent.clone().unwrap());
    assert_eq!(headers["host"], format!("127.0.0.1:{}", host.port()));
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["event"], event(&json!({})));
    assert_eq!(body["Metadata"]["data"], event(&json!({}))["data"]);
}

#[tokio::test]
async fn a_host_may_know_the_length_and_no_trace() {
    let app = App::new(&[]);
    let host =
        FunctionsHost::start(HostOptions { chunked: false, traceparent: false, ..app.options() }).unwrap();
    let invocation = play(&host, json!({})).await;
    let headers = &seen(&host, &invocation).await["headers"];
    assert!(headers["content-length"].is_string() && headers.get("transfer-encoding").is_none());
    assert!(headers.get("traceparent").is_none() && invocation.traceparent.is_none());
}

#[tokio::test]
async fn replies_are_judged_over_the_wire() {
    let (_app, host) = started(&[]).await;
    let failed = [
        (json!({ "status": 500 }), Failure::Status(500)),
        (json!({ "status": 404 }), Failure::Status(404)),
        (json!({ "contentType": "text/plain" }), Failure::MediaType(Some("text/plain".to_owned()))),
        (json!({ "contentType": "" }), Failure::MediaType(None)),
    ];
    for (script, failure) in failed {
        let invocation = play(&host, script).await;
        assert_eq!(invocation.verdict, Verdict::Failed(failure));
        assert!(invocation.logs.is_empty());
    }
    let broken = play(&host, json!({ "body": "{" })).await;
    assert!(matches!(broken.verdict, Verdict::Failed(Failure::InvalidJson(_))));
    // The host follows the redirect without the script, so the next response is a success.
    let moved = play(&host, json!({ "status": 302, "location": "/elsewhere" })).await;
    assert_eq!(moved.verdict, Verdict::Succeeded);
    assert_eq!(host.invocations().len(), 6);
}

#[tokio::test]
async fn outputs_become_messages() {
    let (_app, host) = started(&[]).await;
    let outputs = json!({ "pending": [{ "id": "/d" }, "plain"], "other": 1 });
    let body = json!({ "Outputs": outputs, "Logs": [], "ReturnValue": null }).to_string();
    let invocation = play(&host, json!({ "body": body })).await;
    assert_eq!((&invocation.verdict, &invocation.outputs["other"]), (&Verdict::Succeeded, &json!(1)));
    let texts: Vec<_> =
        host.queues().queue("out").messages().into_iter().map(|message| message.text).collect();
    let decoded: Vec<_> = texts.iter().map(|text| Encoding::Base64.decode(text).unwrap()).collect();
    assert_eq!(serde_json::from_str::<Value>(&decoded[0]).unwrap(), json!({ "id": "/d" }));
    assert_eq!(decoded[1], "plain");
    let large = json!({ "Outputs": { "pending": { "x": "y".repeat(64 * 1024) } } }).to_string();
    let invocation = play(&host, json!({ "body": large })).await;
    assert!(matches!(invocation.verdict, Verdict::Failed(Failure::Output(_, _))));
}

#[tokio::test]
async fn event_grid_learns_whether_all_succeeded() {
    let (_app, host) = started(&[]).await;
    let endpoint = host.event_grid("on-write");
    let (good, bad) = (event(&json!({})), event(&json!({ "status": 500 })));
    assert_eq!(endpoint.deliver(vec![good.clone(), good.clone()]).await, 202);
    assert_eq!(endpoint.deliver(vec![good.clone(), bad]).await, 500);
    assert_eq!(endpoint.deliver(vec![json!("no object")]).await, 500);
    assert_eq!(host.event_grid("tick").deliver(vec![good.clone()]).await, 404);
    assert_eq!(host.event_grid("nobody").deliver(vec![good.clone()]).await, 404);
    assert_eq!(host.event_grid("on-many").deliver(vec![good.clone(), good]).await, 202);
    let many = host.wait_for_invocation(|invocation| invocation.function == "on-many").await;
    let body: Value = serde_json::from_str(seen(&host, &many).await["body"].as_str().unwrap()).unwrap();
    let events: Value = serde_json::from_str(body["Data"]["events"].as_str().unwrap()).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn timers_and_queues_reach_their_functions() {
    let (_app, host) = started(&[]).await;
    let tick = host.fire_timer("tick").await.unwrap();
    let body: Value = serde_json::from_str(seen(&host, &tick).await["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["timer"]["IsPastDue"], false);
    assert!(matches!(host.fire_timer("nobody").await, Err(HostError::NoFunction(_))));
    let queue = host.queues().queue("in");
    queue.put(Encoding::Base64.encode(br#"{"disk":"/d"}"#)).unwrap();
    queue.put(Encoding::Base64.encode(br#"{"puppet":{"status":500}}"#)).unwrap();
    host.queues_drained().await;
    let queued = host.wait_for_invocation(|one| one.function == "queued" && one.succeeded()).await;
    let body: Value = serde_json::from_str(seen(&host, &queued).await["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["Data"]["message"], r#""{\"disk\":\"/d\"}""#);
    assert_eq!(
        (&body["Metadata"]["disk"], &body["Metadata"]["DequeueCount"]),
        (&json!("\"/d\""), &json!("1"))
    );
    let failed =
        host.invocations().into_iter().filter(|one| one.verdict == Verdict::Failed(Failure::Status(500)));
    assert_eq!(failed.count(), 2);
    assert_eq!(host.queues().poison("in").len(), 1);
}

#[tokio::test]
async fn hostile_bodies_reach_the_handler_as_they_are() {
    let (_app, host) = started(&[]).await;
    let reply = host.invoke_raw("on-write", "{not json").await.unwrap();
    assert_eq!((reply.status, reply.content_type.as_deref()), (200, Some("application/json")));
    host.wait_for_line(|line| line.text.contains("{not json")).await;
    assert!(host.invocations().is_empty());
}

#[test]
fn a_staged_folder_is_what_is_deployed() {
    let app = App::new(&[]);
    let mode = fs::metadata(app.root().join("handler")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    assert!(app.root().join("on-write/function.json").is_file());
    assert!(!app.root().join("function-definitions").exists());
}

#[tokio::test]
async fn faults_of_the_app_s_files_stop_the_host() {
    let fault = |change: &dyn Fn(&Path, &mut BTreeMap<String, String>)| {
        let app = App::new(&[]);
        let mut options = app.options();
        change(&app.root(), &mut options.settings);
        FunctionsHost::start(options).map(drop).unwrap_err()
    };
    let edit = |root: &Path, path: &str, value: Value| {
        let mut file = host_json();
        *file.pointer_mut(path).unwrap() = value;
        fs::write(root.join("host.json"), file.to_string()).unwrap();
    };
    let error = fault(&|root, _| edit(root, "/telemetryMode", json!("OTel")));
    assert!(matches!(error, HostError::TelemetryMode));
    let error = fault(&|root, _| edit(root, "/extensionBundle/id", json!("Other")));
    assert!(matches!(error, HostError::BindingNotRegistered { .. }));
    let error = fault(&|root, _| edit(root, "/customHandler", json!({})));
    assert!(matches!(error, HostError::NoExecutable));
    let error = fault(&|root, _| edit(root, "/extensions/queues/visibilityTimeout", json!("5 min")));
    assert!(matches!(error, HostError::TimeSpan { .. }));
    for (option, value) in [
        ("batchSize", json!(33)),
        ("batchSize", json!(0)),
        ("maxDequeueCount", json!(0)),
        ("maxPollingInterval", json!("00:00:00.05")),
        ("messageEncoding", json!("utf8")),
    ] {
        let error = fault(&|root, _| edit(root, "/extensions/queues", json!({ option: value })));
        assert!(matches!(error, HostError::QueueOption { .. }), "{option}: {error}");
    }
    let error = fault(&|root, _| fs::remove_file(root.join("host.json")).unwrap());
    assert!(matches!(error, HostError::File { .. }));
}
