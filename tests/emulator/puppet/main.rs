//! A custom handler that answers as the test dictates, to test the emulator's Functions host.
//!
//! It writes every request to standard output. The envelope determines the response: the first object under a
//! key `puppet`, at any depth and inside strings with JSON, can have `status`, `contentType`, `body`,
//! `location`, `exit` (an exit code, without a response) and `hang`. It reads the variables `PUPPET_START`
//! (an exit code instead of a start, `deaf`, or what it does with each connection: `closes`, `short` or `raw`),
//! `PUPPET_LATE` (milliseconds until the port opens, or until that exit), `PUPPET_ROOT` (the status of `GET /`), `PUPPET_STDOUT` and
//! `PUPPET_STDERR` (texts for the streams) and `PUPPET_TERM` (the exit code on SIGTERM).

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
    io::{AsyncReadExt as _, AsyncWriteExt as _},
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
    if let Some(text) = setting("PUPPET_STDOUT") {
        write!(io::stdout(), "{text}")?;
        io::stdout().flush()?;
    }
    if let Some(line) = setting("PUPPET_STDERR") {
        writeln!(io::stderr(), "{line}")?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let (exit, mut exits) = mpsc::unbounded_channel();
    let start = setting("PUPPET_START").unwrap_or_default();
    if let Some(late) = setting("PUPPET_LATE").and_then(|late| late.parse().ok()) {
        tokio::time::sleep(std::time::Duration::from_millis(late)).await;
    }
    if let Ok(code) = start.parse::<u8>() {
        return Ok(ExitCode::from(code));
    }
    let port = setting("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    let listener =
        if start == "deaf" { None } else { Some(TcpListener::bind(format!("127.0.0.1:{port}")).await?) };
    let app = Router::new().fallback(answer).with_state(exit);
    let serve = async {
        match listener {
            Some(listener) if matches!(start.as_str(), "closes" | "short" | "raw") => {
                connections(&listener, &start).await
            }
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

/// Connections without an HTTP server: `closes` closes them, `short` sends a reply that does not end, and `raw` writes
/// each request as it came to standard output, and answers with a success.
async fn connections(listener: &TcpListener, what: &str) -> io::Result<()> {
    loop {
        let (mut connection, _) = listener.accept().await?;
        let what = what.to_owned();
        tokio::spawn(async move {
            if what == "short" {
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await?;
                std::future::pending::<()>().await;
            }
            if what == "closes" {
                return Ok(());
            }
            while let Some(request) = request(&mut connection).await? {
                say(&json!({ "raw": request }))?;
                let body = r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#;
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                connection.write_all((head + body).as_bytes()).await?;
            }
            Ok::<_, io::Error>(())
        });
    }
}

/// The bytes of one request without a body, or with one in chunks.
async fn request(connection: &mut tokio::net::TcpStream) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        let end = if text.starts_with("GET") { "\r\n\r\n" } else { "\r\n0\r\n\r\n" };
        if text.ends_with(end) {
            return Ok(Some(text.into_owned()));
        }
        let mut buffer = [0; 4096];
        match connection.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
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
        let status = std::env::var("PUPPET_ROOT").ok().and_then(|status| status.parse::<u16>().ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        return status.unwrap_or(StatusCode::NOT_FOUND).into_response();
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
