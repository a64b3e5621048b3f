//! The handler's process: the puppet does what the recorded program did.
//!
//! Where the recorded host waited for seconds, the same wait is shorter here.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use diskseal_emulator::host::{Category, Failure, FunctionsHost, HostError, Level, Stream, Trigger, Verdict};
use serde_json::{Value, json};

use super::{App, case, event_function, names, text};

const INITIALIZATION: &str = "AzureFunctionsJobHost__customHandler__initializationTimeout";

/// An app whose handler is the puppet, which lies there as its own file.
fn app(settings: &[(&str, &str)]) -> App {
    let mut app = App::new(&json!({}), &[event_function()]);
    fs::copy(env!("CARGO_BIN_EXE_puppet"), app.root().join("handler")).unwrap();
    for (name, value) in settings {
        app = app.with(name, value);
    }
    app
}

fn start(app: &App) -> FunctionsHost {
    FunctionsHost::start(app.options()).unwrap()
}

/// The status of a delivery, and of the invocation.
async fn deliver(host: &FunctionsHost, script: Value) -> (u16, Verdict) {
    let body = json!([{ "id": "1", "data": { "puppet": script } }]).to_string();
    let given = json!({ "method": "POST", "function": "seal_on_write",
        "headers": [["aeg-event-type", "Notification"]], "body": body });
    let (status, _, _) = super::event_grid::post(host, &given).await;
    (status, host.invocations().pop().unwrap().verdict)
}

#[tokio::test]
async fn processes_live_and_end_as_recorded() {
    for name in names("process") {
        let case = case(&name);
        let seen = &case["seen"];
        match name.trim_start_matches("process/") {
            "arguments" => arguments(&case).await,
            "environment" => environment(seen).await,
            "console" => console(&case).await,
            "late" => late(seen).await,
            "stop-idle" | "stop-in-mid-request" => stop(&name, seen).await,
            "killed-from-outside" => killed(seen).await,
            "ready-closes-connection" => closes(seen).await,
            "ready-short-reply" => short(seen).await,
            "port-never-opens" => dies(&name, &[("PUPPET_START", "deaf")], seen).await,
            "exit-0-at-start" => dies(&name, &[("PUPPET_START", "0")], seen).await,
            "exit-at-start-1" => dies(&name, &[("PUPPET_START", "1")], seen).await,
            "exit-at-start-200" => restarts(seen).await,
            "crash-in-mid-request" => exits(&name, 3, seen).await,
            "exit-0-in-mid-request" => exits(&name, 0, seen).await,
            "exit-200-in-mid-request" => exits(&name, 200, seen).await,
            status if status.starts_with("ready-status-") => ready(&name, seen).await,
            redirect if redirect.starts_with("redirect-") => redirected(&name, redirect, seen).await,
            binary if binary.starts_with("binary-") => binary_is(&name, binary, seen).await,
            other => panic!("{other} is replayed nowhere"),
        }
    }
}

async fn arguments(case: &Value) {
    let settings: Vec<_> = case["seen"]["settings"].as_object().unwrap().iter().collect();
    let settings: Vec<_> =
        settings.iter().map(|(name, value)| (name.as_str(), text(value, "a setting"))).collect();
    let app = app(&settings)
        .with("AzureFunctionsJobHost__customHandler__description__arguments", &case["given"].to_string());
    assert_eq!(started(&start(&app)).await["arguments"], case["seen"]["argv"]);
}

async fn started(host: &FunctionsHost) -> Value {
    let line = host.wait_for_line(|line| line.text.contains("started")).await;
    serde_json::from_str::<Value>(&line.text).unwrap()["started"].clone()
}

async fn environment(seen: &Value) {
    let app = app(&[]);
    let (host, options) = (start(&app), app.options());
    let mut environment = started(&host).await["environment"].as_object().unwrap().clone();
    for (name, value) in options.environment.iter().chain(&options.settings) {
        assert_eq!(environment.remove(name), Some(json!(value)), "{name}");
    }
    let theirs = seen["addedByHost"].as_object().unwrap();
    let mut ours: Vec<_> = environment.keys().collect();
    let mut names: Vec<_> = theirs.keys().collect();
    ours.sort();
    names.sort();
    assert_eq!(ours, names);
    assert_eq!(environment["FUNCTIONS_HTTPWORKER_PORT"], environment["FUNCTIONS_CUSTOMHANDLER_PORT"]);
    assert_eq!(environment["FUNCTIONS_HTTPWORKER_ID"], environment["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"]);
}

async fn console(case: &Value) {
    let written = text(&case["given"]["stdout"], "stdout").replace("(40000 times x)", &"x".repeat(40_000));
    let stderr = text(&case["given"]["stderr"], "stderr").trim_end_matches('\n').to_owned();
    let app = app(&[("PUPPET_STDOUT", &written), ("PUPPET_STDERR", &stderr), ("PUPPET_START", "1")]);
    let host = start(&app);
    assert!(host.ready().await.is_err());
    let pid = host.exits()[0].pid;
    let lines = host.console().into_iter().filter(|line| line.pid == pid);
    // The puppet's own line, and the last one, which came after the recording's end.
    let lines =
        lines.filter(|line| !line.text.starts_with("{\"started") && !line.text.starts_with("no newline"));
    let mut ours: Vec<_> = lines
        .map(|line| {
            let category = match line.category {
                Category::Console => "Host.Function.Console",
                Category::Worker => "Worker.HttpWorkerProcess",
                Category::Tooling => "Host.Function.ToolingConsoleLog",
            };
            let level = match line.level {
                Level::Information => "Information",
                Level::Warning => "Warning",
                Level::Error => "Error",
            };
            assert_eq!(line.stream == Stream::Stdout, line.level == Level::Information);
            let start: String = line.text.chars().take(60).collect();
            json!([level, category, start, line.text.chars().count()]).to_string()
        })
        .collect();
    let mut theirs: Vec<_> = case["log"].as_array().unwrap().iter().map(Value::to_string).collect();
    // Each stream is in order, but not one with the other.
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

async fn late(seen: &Value) {
    let app = app(&[("PUPPET_LATE", "200")]);
    let host = start(&app);
    assert_eq!(json!(deliver(&host, json!({})).await.0), seen["webhook"]);
    assert!(host.exits().is_empty());
    let app = self::app(&[("PUPPET_START", "raw")]);
    let host = start(&app);
    let line = host.wait_for_line(|line| line.text.starts_with("{\"raw\"")).await;
    let raw = serde_json::from_str::<Value>(&line.text).unwrap()["raw"].clone();
    let theirs = text(&seen["readinessRequests"], "a request").replace("34081", &host.port().to_string());
    assert_eq!(text(&raw, "a request").to_ascii_lowercase(), theirs.to_ascii_lowercase());
}

async fn stop(name: &str, seen: &Value) {
    let app = app(&[]);
    let host = start(&app);
    host.ready().await.unwrap();
    let pid = host.pid().unwrap();
    if name.ends_with("idle") {
        host.stop().await;
    } else {
        let stopping = async {
            host.wait_for_line(|line| line.text.contains("request")).await;
            host.stop().await;
        };
        let ((status, verdict), ()) = tokio::join!(deliver(&host, json!({ "hang": true })), stopping);
        assert_eq!(json!(status), seen["result"]["r"]);
        assert!(matches!(verdict, Verdict::Failed(Failure::Connection(_))));
    }
    // No signal that the handler could take.
    assert_eq!((host.wait_exit(pid).await.signal, &seen["signals"]), (Some(9), &json!([])));
}

async fn killed(seen: &Value) {
    let app = app(&[]);
    let host = start(&app);
    for kill in seen["kills"].as_array().unwrap() {
        host.ready().await.unwrap();
        host.kill().await;
        assert_eq!(json!(host.ready().await.is_ok()), kill[1], "{kill}");
    }
    assert_eq!(json!(host.exits().len()), seen["startsTotal"]);
}

async fn closes(seen: &Value) {
    let app = app(&[("PUPPET_START", "closes")]);
    let host = start(&app);
    assert_eq!(json!(host.ready().await.is_ok()), seen["ready"]);
    assert_eq!(json!(deliver(&host, json!({})).await.0), seen["webhook"]);
}

async fn short(seen: &Value) {
    let app = app(&[("PUPPET_START", "short"), (INITIALIZATION, "00:00:00.1")]);
    let host = start(&app);
    host.wait_for_line(|line| line.text.contains("started")).await;
    let (status, verdict) = deliver(&host, json!({})).await;
    assert_eq!((status, &seen["ready"]), (500, &json!(false)));
    assert!(matches!(verdict, Verdict::Failed(_)), "{verdict:?}");
}

/// Three starts in vain, and the host shuts down.
async fn dies(name: &str, settings: &[(&str, &str)], seen: &Value) {
    let app = app(&[settings, &[(INITIALIZATION, "00:00:00.1")]].concat());
    let host = start(&app);
    assert!(matches!(host.ready().await, Err(HostError::Down(_))), "{name}");
    let exits = host.exits();
    assert_eq!(exits.len(), seen["starts"].as_array().unwrap().len(), "{name}");
    assert!(exits.iter().all(|exit| exit.counted), "{name}: {exits:?}");
}

/// Starts without end and without a count.
async fn restarts(seen: &Value) {
    let app = app(&[("PUPPET_START", "200")]);
    let host = start(&app);
    let more = seen["starts"].as_array().unwrap().len();
    while host.exits().len() < more {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(host.exits().iter().all(|exit| !exit.counted) && seen["stopApplication"] == json!([]));
}

/// Four calls, in each of which the handler exits with this code.
async fn exits(name: &str, code: u8, seen: &Value) {
    let app = app(&[]);
    let host = start(&app);
    host.ready().await.unwrap();
    for (at, invocation) in seen["invocations"].as_array().unwrap().iter().enumerate() {
        let pid = host.pid();
        let (status, verdict) = deliver(&host, json!({ "exit": code })).await;
        // After the third error the recorded host waited; ours is down.
        let theirs = invocation["webhook"].as_u64().unwrap_or(500);
        assert_eq!(u64::from(status), theirs, "{name}");
        assert!(matches!(verdict, Verdict::Failed(_)), "{name} {at}");
        if let Some(pid) = pid.filter(|_| code != 0 || at == 0) {
            host.wait_exit(pid).await;
        }
    }
    let starts = host.exits().len() + usize::from(host.pid().is_some() && code == 200);
    assert_eq!(json!(starts), seen["startsTotal"], "{name}: {:?}", host.exits());
    let is_down = matches!(host.ready().await, Err(HostError::Down(reason)) if reason.contains("code 3"));
    assert_eq!(is_down, seen["stopApplication"] != json!([]), "{name}");
}

async fn ready(name: &str, seen: &Value) {
    let status = seen["reply"]["status"].to_string();
    let app = app(&[("PUPPET_ROOT", &status)]);
    let host = start(&app);
    assert_eq!(json!(host.ready().await.is_ok()), seen["ready"], "{name}");
}

async fn redirected(name: &str, redirect: &str, seen: &Value) {
    let status: u16 = redirect.trim_start_matches("redirect-").parse().unwrap();
    let app = app(&[]);
    let host = start(&app);
    let script = json!({ "status": status, "location": "/elsewhere" });
    // A repeated body is answered as before, so only the first two requests count.
    let trigger = Trigger::Event(json!({ "id": "1", "data": { "puppet": script } }));
    host.invoke("seal_on_write", trigger).await.unwrap();
    let lines = host.console().into_iter().filter(|line| line.text.contains("\"request\""));
    let requests: Vec<Value> = lines.map(|line| serde_json::from_str(&line.text).unwrap()).take(2).collect();
    for (request, recorded) in requests.iter().zip(seen["requests"].as_array().unwrap()) {
        let request = &request["request"];
        let line =
            format!("{} {} HTTP/1.1", request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        assert_eq!(json!(line), recorded[0], "{name}");
        assert_eq!(request["body"] == "", recorded[1] == 0, "{name}");
    }
    assert_eq!(requests.len(), 2, "{name}");
}

/// A handler that cannot be started: one try, no count, and calls that wait and fail.
async fn binary_is(name: &str, binary: &str, seen: &Value) {
    let app = app(&[(INITIALIZATION, "00:00:00.1")]);
    let handler = app.root().join("handler");
    match binary {
        "binary-missing" => fs::remove_file(&handler).unwrap(),
        "binary-is-a-directory" => {
            fs::remove_file(&handler).unwrap();
            fs::create_dir(&handler).unwrap();
        }
        "binary-no-valid-elf" => fs::write(&handler, b"\x7fELF and no more").unwrap(),
        "binary-without-loader" => without_loader(&handler),
        "binary-not-executable" => {
            fs::set_permissions(&handler, fs::Permissions::from_mode(0o644)).unwrap();
            let host = start(&app);
            let started = async { host.wait_for_line(|line| line.text.contains("started")).await };
            started.await;
            let mode = fs::metadata(&handler).unwrap().permissions().mode() & 0o777;
            assert_eq!(format!("0o{mode:o}"), text(&seen["modeOfFile"], name));
            return;
        }
        other => panic!("{other} is replayed nowhere"),
    }
    let host = start(&app);
    assert!(
        matches!(host.ready().await, Err(HostError::Down(reason)) if reason.contains("cannot be started"))
    );
    let started = tokio::time::Instant::now();
    let (status, verdict) = deliver(&host, json!({})).await;
    assert_eq!(json!(status), seen["webhook"][0], "{name}");
    // Four times the limit, then the call is sent and refused, and the host shuts down.
    assert!(started.elapsed() >= Duration::from_millis(400), "{name}");
    assert!(matches!(verdict, Verdict::Failed(Failure::Connection(_))), "{name}: {verdict:?}");
    assert!(host.exits().is_empty() && host.console().is_empty(), "{name}");
    assert!(
        matches!(host.ready().await, Err(HostError::Down(reason)) if reason.contains("timed out")),
        "{name}"
    );
}

/// Names a loader that does not exist, in as many letters.
fn without_loader(handler: &Path) {
    let mut bytes = fs::read(handler).unwrap();
    let known = b"/ld-linux";
    let at = bytes.windows(known.len()).position(|window| window == known).unwrap();
    bytes[at..at + known.len()].copy_from_slice(b"/no-loader"[..known.len()].as_ref());
    fs::write(handler, bytes).unwrap();
}
