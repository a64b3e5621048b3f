//! The handler as a separate process, and the requests of its host.
#![expect(dead_code, reason = "each bench uses a part of it")]

use std::{process::Stdio, time::Duration};

use diskseal_emulator::serve::Serving;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::Instant,
};

/// A running handler. Dropping it kills the process.
pub(crate) struct Handler {
    child: Child,
    /// Its address.
    pub(crate) url: String,
    /// Time from the start to the first response to its host.
    pub(crate) first_answer: Duration,
}

impl Handler {
    /// Starts it with this ARM, the identity of `serving` and these settings, and waits for the first
    /// response.
    pub(crate) async fn start(arm: &str, serving: &Serving, settings: &[(&str, &str)]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_diskseal"));
        command
            .arg("serve")
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("DISKSEAL_ARM_ENDPOINT", arm)
            .env("SSL_CERT_FILE", &serving.ca_pem)
            .env("IDENTITY_ENDPOINT", &serving.identity)
            .env("IDENTITY_HEADER", &serving.identity_header)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().unwrap();
        while !answers(port).await {
            // The host polls too; the interval is the precision of the figure.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        Self { child, url: format!("http://127.0.0.1:{port}"), first_answer: started.elapsed() }
    }

    /// A value of the kernel's status of the process, in MiB.
    pub(crate) fn mib(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() as f64 / 1_024.0
    }

    /// User and system time so far, in the kernel's unit of 1/100 s.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks as f64 / 100.0
    }

    /// Whether the process has the SDK's export threads.
    pub(crate) fn exports(&self) -> bool {
        let threads = std::fs::read_dir(self.proc("task")).unwrap();
        let names =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
        names.into_iter().any(|name| name.starts_with("OpenTelemetry"))
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id().unwrap())
    }
}

/// A poll, as the host sends it.
async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.starts_with("HTTP/1.1 200")
}

/// Sends the event of a write, and returns the first line of the handler's log for it.
pub(crate) async fn event(client: &Client, url: &str, id: &str) -> String {
    let event = json!({
        "subject": id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "id": uuid::Uuid::new_v4().to_string(),
        "eventTime": "2026-01-01T00:00:00.0000000Z",
        "topic": "/subscriptions/00000000-0000-0000-0000-000000000001",
        "data": {"operationName": "Microsoft.Compute/disks/write", "status": "Succeeded"},
    });
    invoke(client, url, "seal_on_write", &json!({"event": event})).await
}

/// Invokes a function, and returns the first line of its log.
pub(crate) async fn invoke(client: &Client, url: &str, function: &str, data: &Value) -> String {
    let envelope = json!({"Data": data, "Metadata": {"DequeueCount": "1", "sys": {"MethodName": function}}});
    let reply = client.post(format!("{url}/{function}")).body(envelope.to_string()).send().await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    reply["Logs"][0].as_str().unwrap_or_default().to_owned()
}
