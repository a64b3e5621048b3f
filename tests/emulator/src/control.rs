//! The local Azure's control surface: the functions that tests call in process, over HTTP.
//!
//! It is plain HTTP on its own port of loopback, without credentials; pages of other origins are refused.
//! Bodies are JSON; a refusal is `{"error": "…"}`. Times are RFC 3339.
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /` | lists the endpoints |
//! | `GET /resources` | every disk and snapshot, as a GET of Resource Manager would return it |
//! | `GET /journal?resource=&last=` | every request to Resource Manager and the identity endpoint with its response; `resource` is a name or a whole id (polls of operations have none), `last` the maximum number |
//! | `GET /invocations?function=` | every call of a handler by the Functions host, and its verdict |
//! | `GET /console` | every line of the handlers' output |
//! | `GET /spans?trace=` | every span that the collector has received |
//! | `GET /logs?trace=` | every log record that the collector has received |
//! | `GET /metrics?name=` | every point of every metric that the collector has received, the latest of each time series last |
//! | `GET /deliveries` | every delivery attempt of Event Grid, and the number of events by their end |
//! | `GET /dead-letters` | the events that Event Grid could not deliver |
//! | `GET /queue` | every queue of the storage account with its messages, including invisible ones |
//! | `GET /faults` | every fault injected here, and the number of requests it has affected |
//! | `POST /faults` | injects a fault; see [`fault`] |
//! | `POST /faults/{id}/release` | releases the requests that the fault holds |
//! | `POST /faults/{id}/cut-off` | breaks the connections of the requests that the fault holds |
//! | `DELETE /faults/{id}` | removes one fault |
//! | `DELETE /faults` | removes all faults, including those injected in process |
//! | `POST /publish` | delivers an event or an array of events, any JSON, without Event Grid's filters |
//! | `POST /events/{resource}` | disturbs the events of a resource's writes from now on: `{"lost": true}`, or `{"lateSeconds": 300}`, whose events name an earlier time |
//! | `POST /kill?group=` | kills the handler of a group of functions with SIGKILL: `http` (the default), or `function:NAME`; its host restarts it by its rules, up to three errors in 30 minutes |
//! | `POST /timer/{function}` | runs a timer function now and returns its invocation |
//!
//! Next to it is Event Grid's custom topic, over HTTP and HTTPS: see [`topic`].

pub mod fault;
pub mod topic;

mod guard;
mod record;
mod routes;

use std::{
    io,
    sync::{Arc, Weak},
};

use axum::Router;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use self::{fault::Ordered, topic::Topic};
use crate::{
    Emulator,
    collector::Collector,
    event_grid::EventGrid,
    host::FunctionApp,
    serve::{Ports, Serving, listen},
};

/// The running control surface. Dropping it closes its ports.
#[derive(Debug)]
pub struct Control {
    /// Its address: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The custom topic; none without Event Grid.
    pub topic: Option<TopicAddress>,
    router: Router,
    listeners: Vec<AbortHandle>,
}

/// Where and how to publish events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicAddress {
    /// The endpoint with TLS: `https://localhost:PORT/api/events`.
    pub https: String,
    /// The endpoint without TLS: `http://127.0.0.1:PORT/api/events`.
    pub http: String,
    /// The value of the header `aeg-sas-key`.
    pub key: String,
}

/// The services around the handler. The control surface does not keep them alive.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) host: Weak<FunctionApp>,
    pub(crate) event_grid: Weak<EventGrid>,
}

/// The state of the routes.
#[derive(Debug)]
struct Surface {
    emulator: Emulator,
    collector: Arc<Collector>,
    platform: Option<Platform>,
    faults: Mutex<Vec<Ordered>>,
}

impl Control {
    /// Controls only Resource Manager, the identity endpoint and the collector; requests that need a handler
    /// are refused.
    pub async fn start(
        emulator: &Emulator,
        collector: &Arc<Collector>,
        serving: &Serving,
        ports: Ports,
    ) -> io::Result<Self> {
        Self::start_with(emulator, collector, None, serving, ports).await
    }

    pub(crate) async fn start_with(
        emulator: &Emulator,
        collector: &Arc<Collector>,
        platform: Option<Platform>,
        serving: &Serving,
        ports: Ports,
    ) -> io::Result<Self> {
        let surface = Surface {
            emulator: emulator.clone(),
            collector: Arc::clone(collector),
            platform: platform.clone(),
            faults: Mutex::default(),
        };
        let router = routes::router(surface);
        let (control, address) = listen(ports.control, router.clone(), None).await?;
        let url = format!("http://{address}");
        let mut this = Self { url, topic: None, router, listeners: vec![control] };
        let Some(platform) = platform else { return Ok(this) };
        let topic = Topic::new(platform.event_grid);
        let key = topic.key().to_owned();
        let router = topic::router(topic);
        let (tls, https) = listen(ports.topic_https, router.clone(), Some(serving.tls())).await?;
        this.listeners.push(tls);
        let (plain, http) = listen(ports.topic_http, router, None).await?;
        this.listeners.push(plain);
        let https = format!("https://localhost:{}{}", https.port(), topic::PATH);
        this.topic = Some(TopicAddress { https, http: format!("http://{http}{}", topic::PATH), key });
        Ok(this)
    }

    /// The control surface with additional routes, for another server on loopback. They have the same guard.
    pub fn router_with(&self, more: Router) -> Router {
        guard::around(more).fallback_service(self.router.clone())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}
