//! Sends events to a handler as the Functions host does, over connections that stay open, each event for a disk of its
//! own.

use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Uri,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::Instant};

use super::Fault;

const SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";

/// What to send.
#[derive(Clone)]
pub struct Plan {
    pub url: Uri,
    /// The number of the first disk.
    pub first: u64,
    /// How many events to send at most.
    pub events: u64,
    /// How long to send at most.
    pub time: Duration,
    /// How many events are in progress at once.
    pub in_flight: u64,
}

/// What one connection has seen.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    failed: u64,
}

/// Sends the events, and returns how many there were, how long they took, and how many were not answered with 200.
pub async fn run(plan: Plan) -> Result<Value, Fault> {
    let next = Rc::new(Cell::new(0));
    let started = Instant::now();
    let mut connections = JoinSet::new();
    for _ in 0..plan.in_flight {
        connections.spawn_local(connection(plan.clone(), Rc::clone(&next), started + plan.time));
    }
    let (mut took, mut failed) = (vec![], 0);
    while let Some(seen) = connections.join_next().await {
        let seen = seen??;
        took.extend(seen.took);
        failed += seen.failed;
    }
    let seconds = started.elapsed().as_secs_f64();
    took.sort_unstable();
    let last = took.len().checked_sub(1).ok_or("no event was sent")?;
    let percentile = |part: usize| took[last * part / 100].as_secs_f64() * 1_000.0;
    Ok(json!({
        "events": took.len(), "failed": failed, "seconds": seconds,
        "p50_ms": percentile(50), "p99_ms": percentile(99), "max_ms": percentile(100),
    }))
}

async fn connection(plan: Plan, next: Rc<Cell<u64>>, until: Instant) -> Result<Seen, String> {
    let authority = plan.url.authority().ok_or("the URL has no authority")?.as_str().to_owned();
    let stream = TcpStream::connect(&authority).await.map_err(|fault| fault.to_string())?;
    stream.set_nodelay(true).map_err(|fault| fault.to_string())?;
    let (mut sender, driver) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|fault| fault.to_string())?;
    tokio::task::spawn_local(async move { drop(driver.await) });
    let mut seen = Seen::default();
    while next.get() < plan.events && Instant::now() < until {
        let number = plan.first + next.replace(next.get() + 1);
        let body = event(number);
        let started = Instant::now();
        let is_done =
            send(&mut sender, &plan.url, &authority, body).await.map_err(|fault| fault.to_string())?;
        seen.took.push(started.elapsed());
        seen.failed += u64::from(!is_done);
    }
    Ok(seen)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    url: &Uri,
    authority: &str,
    body: String,
) -> Result<bool, Fault> {
    let request = Request::post(url.path())
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let is_done = answer.status().is_success();
    // The host reads the whole answer, too.
    answer.into_body().collect().await?;
    Ok(is_done)
}

/// The body of an invocation: the write of one disk, with the members that Event Grid sends.
fn event(number: u64) -> String {
    let group = number % 20;
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{group}/providers/Microsoft.Compute/disks/disk-{number:07}"
    );
    json!({
        "Data": {"event": {
            "id": format!("00000000-0000-4000-8000-{number:012}"),
            "topic": format!("/subscriptions/{SUBSCRIPTION}"), "subject": id,
            "eventType": "Microsoft.Resources.ResourceWriteSuccess", "eventTime": "2026-01-01T00:00:00.0000000Z",
            "dataVersion": "2", "metadataVersion": "1",
            "data": {
                "operationName": "Microsoft.Compute/disks/write", "resourceProvider": "Microsoft.Compute",
                "resourceUri": id, "status": "Succeeded", "subscriptionId": SUBSCRIPTION,
                "correlationId": "6f5f5d1b-0000-4000-8000-000000000000",
                "authorization": {"scope": id, "action": "Microsoft.Compute/disks/write",
                                  "evidence": {"role": "Contributor", "principalType": "User"}},
                "claims": {"name": "Jane Doe", "appid": "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"},
            },
        }},
        "Metadata": {"sys": {"MethodName": "seal_on_write"}},
    })
    .to_string()
}
