//! A custom handler that answers as the test dictates, to test the emulator's Functions host.
//!
//! It writes every request to standard output. The envelope determines the response: the first object under a
//! key `puppet`, at any depth and inside strings with JSON, can have `status`, `contentType`, `body`,
//! `location`, `exit` (an exit code, without a response) and `hang`. It reads the variables `PUPPET_START`
//! (an exit code instead of a start, or `deaf`), `PUPPET_STDERR` (a line for standard error) and
//! `PUPPET_TERM` (the exit code on SIGTERM).

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    let setting = |name: &str| std::env::var(name).ok();
    let environment: serde_json::Map<_, _> = std::env::vars().map(|(k, v)| (k, Value::String(v))).collect();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let folder = std::env::current_dir()?;
    say(&json!({ "started": { "environment": environment, "arguments": arguments, "folder": folder } }))?;
    if let Some(line) = setting("PUPPET_STDERR") {
        writeln!(io::stderr(), "{line}")?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let (exit, mut exits) = mpsc::unbounded_channel();
    let start = setting("PUPPET_START").unwrap_or_default();
    if let Ok(code) = start.parse::<u8>() {
        return Ok(ExitCode::from(code));
    }
    let port = setting("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    let listener =
        if start == "deaf" { None } else { Some(TcpListener::bind(format!("127.0.0.1:{port}")).await?) };
    let app = Router::new().fallback(answer).with_state(exit);
    let serve = async {
        match listener {
            Some(listener) => axum::serve(listener, app).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = serve => served.map(|()| ExitCode::FAILURE),
        Some(code) = exits.recv() => Ok(ExitCode::from(code)),
        _ = terminate.recv() => {
            Ok(ExitCode::from(setting("PUPPET_TERM").and_then(|code| code.parse().ok()).unwrap_or(0)))
        }
    }
}

async fn answer(
    State(exit): State<mpsc::UnboundedSender<u8>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let envelope: Value = serde_json::from_slice(&body).unwrap_or_default();
    if method == Method::GET && uri.path() == "/" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let named: serde_json::Map<_, _> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let request = json!({
        "method": method.as_str(), "path": uri.path(), "headers": named, "body": String::from_utf8_lossy(&body),
    });
    if say(&json!({ "request": request })).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let script = script(&envelope).unwrap_or_default();
    if script["hang"] == true {
        return std::future::pending().await;
    }
    if let Some(code) = script["exit"].as_u64().and_then(|code| u8::try_from(code).ok()) {
        // The receiver lives as long as the server.
        let _ = exit.send(code);
        return std::future::pending().await;
    }
    let status = script["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let content_type = script["contentType"].as_str().unwrap_or("application/json").to_owned();
    let text = script["body"].as_str().unwrap_or(r#"{"Outputs":{},"Logs":["done"],"ReturnValue":null}"#);
    let mut response = Response::builder().status(status);
    if !content_type.is_empty() {
        response = response.header(header::CONTENT_TYPE, content_type);
    }
    if let Some(location) = script["location"].as_str() {
        response = response.header(header::LOCATION, location);
    }
    response
        .body(Body::from(text.to_owned()))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The first object under a key `puppet`.
fn script(value: &Value) -> Option<Value> {
    match value {
        Value::Object(object) => object
            .get("puppet")
            .filter(|found| found.is_object())
            .cloned()
            .or_else(|| object.values().find_map(script)),
        Value::Array(elements) => elements.iter().find_map(script),
        Value::String(text) => script(&serde_json::from_str(text).ok()?),
        _ => None,
    }
}

fn say(line: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
