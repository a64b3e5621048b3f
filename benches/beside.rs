//! Events while a sweep runs, in one process under ARM's own limits: what an event waits for the other's sake.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use diskseal_emulator::{Emulator, Options, disk_body, options::Keep, serve::Serving};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    sync::Semaphore,
    task::JoinSet,
};

const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";
/// How many messages of the queue the host sends at once: `batchSize` and `newBatchThreshold` of host.json.
const MESSAGES: usize = 24;
/// Two events a second are four writes of the ten that ARM allows.
const EVENT_PAUSE: Duration = Duration::from_millis(500);
const EVENTS: usize = 100;

struct Site {
    emulator: Emulator,
    client: Client,
    url: String,
    _serving: Serving,
    _handler: Child,
}

/// Prints what an event takes without a sweep and beside one.
pub(crate) async fn events_beside_a_sweep() {
    let site = site().await;
    let idle = events(&site, "idle").await;
    let swept = (0..2_000).map(|n| site.disk(&format!("swept-{n:04}"))).collect();
    let sweep = queue(&site, swept);
    let busy = events(&site, "busy").await;
    let (sealed, refused) = sweep.stop().await;
    println!(
        "events, idle and beside a sweep of one subscription under ARM's limits: p99 {:.0} ms and {:.0} ms, ratio {:.2}; \
         the sweep sealed {sealed} meanwhile, and {refused} ended otherwise",
        idle.as_secs_f64() * 1_000.0,
        busy.as_secs_f64() * 1_000.0,
        busy.as_secs_f64() / idle.as_secs_f64(),
    );
}

async fn site() -> Site {
    let options = Options { journal: Keep::Last(0), latency: super::ARM_TIME, ..Options::immediate() };
    let emulator = Emulator::new(Options { throttling: Options::default().throttling, ..options });
    let serving = emulator.serve().await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let handler = Command::new(super::BINARY)
        .arg("serve")
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("DISKSEAL_ARM_ENDPOINT", &serving.arm_https)
        .env("SSL_CERT_FILE", &serving.ca_pem)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (client, url) = (Client::new(), format!("http://127.0.0.1:{port}"));
    while client.get(&url).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Site { emulator, client, url, _serving: serving, _handler: handler }
}

impl Site {
    fn disk(&self, name: &str) -> String {
        let group = "resourceGroups/rg/providers/Microsoft.Compute/disks";
        let id = format!("/subscriptions/{SUBSCRIPTION}/{group}/{name}");
        self.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        id
    }
}

/// The p99 of events that come one by one.
async fn events(site: &Site, name: &str) -> Duration {
    let mut took = vec![];
    for n in 0..EVENTS {
        tokio::time::sleep(EVENT_PAUSE).await;
        let id = site.disk(&format!("{name}-{n}"));
        let event = json!({
            "subject": id, "id": n.to_string(), "topic": format!("/subscriptions/{SUBSCRIPTION}"),
            "eventType": "Microsoft.Resources.ResourceWriteSuccess", "eventTime": "2026-01-01T00:00:00Z",
            "data": {"operationName": "Microsoft.Compute/disks/write", "status": "Succeeded"},
        });
        let started = Instant::now();
        let reply = invoke(&site.client, &site.url, "seal-on-write", &json!({"event": event})).await;
        took.push(started.elapsed());
        assert!(reply["Logs"][0].as_str().unwrap().starts_with("sealed "), "{reply}");
    }
    took.sort();
    took[took.len() * 99 / 100]
}

async fn invoke(client: &Client, url: &str, function: &str, data: &Value) -> Value {
    let envelope = json!({"Data": data, "Metadata": {"DequeueCount": "1"}});
    let reply = client.post(format!("{url}/{function}")).body(envelope.to_string()).send().await.unwrap();
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

/// The host at its queue: so many messages of a sweep at once until it is stopped.
struct Queue(JoinSet<bool>);

fn queue(site: &Site, ids: Vec<String>) -> Queue {
    let places = Arc::new(Semaphore::new(MESSAGES));
    let mut messages = JoinSet::new();
    for id in ids {
        let (client, url, places) = (site.client.clone(), site.url.clone(), Arc::clone(&places));
        messages.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let message = json!({"id": id, "reason": "sweep", "firstSeen": "2026-01-01T00:00:00Z"});
            let reply = invoke(&client, &url, "seal-queued", &json!({"message": message})).await;
            reply["Logs"][0].as_str().is_some_and(|line| line.starts_with("sealed "))
        });
    }
    Queue(messages)
}

impl Queue {
    /// How many were sealed, and how many came back otherwise, as a message that waits for a quota does.
    async fn stop(mut self) -> (usize, usize) {
        let mut ended = (0, 0);
        while let Some(one) = self.0.try_join_next() {
            *(if one.unwrap() { &mut ended.0 } else { &mut ended.1 }) += 1;
        }
        self.0.shutdown().await;
        ended
    }
}
