//! Events during a sweep, in one process under ARM's limits: how long events wait because of the sweep.

use std::{sync::Arc, time::Duration};

use diskseal_emulator::{Emulator, Options, disk_body, options::Keep, serve::Serving};
use reqwest::Client;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::process::{Handler, event, invoke};

const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";
/// How many queue messages the host sends at once: `batchSize` and `newBatchThreshold` of host.json.
const MESSAGES: usize = 24;
/// Two events per second make four writes, of the ten that ARM allows.
const EVENT_PAUSE: Duration = Duration::from_millis(500);
const EVENTS: usize = 100;

struct Site {
    emulator: Emulator,
    client: Client,
    handler: Handler,
    _serving: Serving,
}

/// Prints the time of events without a sweep and during one.
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
    let handler = Handler::start(&serving.arm_https, &serving, &[]).await;
    Site { emulator, client: Client::new(), handler, _serving: serving }
}

impl Site {
    fn disk(&self, name: &str) -> String {
        let group = "resourceGroups/rg/providers/Microsoft.Compute/disks";
        let id = format!("/subscriptions/{SUBSCRIPTION}/{group}/{name}");
        self.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        id
    }
}

/// The p99 of events that arrive one by one.
async fn events(site: &Site, name: &str) -> Duration {
    let mut took = vec![];
    for n in 0..EVENTS {
        // Spaces the events, so that they do not use up ARM's quota by themselves.
        tokio::time::sleep(EVENT_PAUSE).await;
        let id = site.disk(&format!("{name}-{n}"));
        let started = Instant::now();
        let line = event(&site.client, &site.handler.url, &id).await;
        took.push(started.elapsed());
        assert!(line.starts_with("sealed "), "{line}");
    }
    took.sort();
    took[took.len() * 99 / 100]
}

/// The host's queue listener: keeps this many messages of a sweep in progress until it is stopped.
struct Queue(JoinSet<bool>);

fn queue(site: &Site, ids: Vec<String>) -> Queue {
    let places = Arc::new(Semaphore::new(MESSAGES));
    let mut messages = JoinSet::new();
    for id in ids {
        let (client, url, places) = (site.client.clone(), site.handler.url.clone(), Arc::clone(&places));
        messages.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let message = json!({"resource": id, "reason": "sweep", "firstSeen": "2026-01-01T00:00:00Z"});
            invoke(&client, &url, "seal_queued", &json!({"message": message})).await.starts_with("sealed ")
        });
    }
    Queue(messages)
}

impl Queue {
    /// How many were sealed, and how many ended otherwise, such as messages that wait for a quota.
    async fn stop(mut self) -> (usize, usize) {
        let mut ended = (0, 0);
        while let Some(one) = self.0.try_join_next() {
            *(if one.unwrap() { &mut ended.0 } else { &mut ended.1 }) += 1;
        }
        self.0.shutdown().await;
        ended
    }
}
