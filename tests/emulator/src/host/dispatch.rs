//! From a trigger to the end of its invocation.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use futures::future::{BoxFuture, join_all};
use serde_json::{Map, Value};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    app::{App, Function},
    client::{Client, uri},
    envelope::{Trigger, envelope},
    outputs,
    process::{Order, Phase, Process},
    reply::{Failure, Judgement, RawReply, Verdict, judge},
};
use crate::{clock::Clock, event_grid::Endpoint, queue::QueueAccount, recorded::Recorded};

/// The record of one invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// The value of `X-Azure-Functions-InvocationId`.
    pub id: String,
    /// The value of `traceparent`, if it was sent.
    pub traceparent: Option<String>,
    /// How the invocation ended.
    pub verdict: Verdict,
    /// The handler's reply, if there was one.
    pub reply: Option<RawReply>,
    /// The reply's outputs; empty unless the reply is usable.
    pub outputs: Map<String, Value>,
    /// The reply's return value.
    pub return_value: Value,
    /// The reply's logs, which are lost unless the reply is usable.
    pub logs: Vec<String>,
}

impl Invocation {
    /// Whether the invocation succeeded.
    pub fn succeeded(&self) -> bool {
        self.verdict == Verdict::Succeeded
    }
}

/// The state that the triggers share.
#[derive(Debug)]
pub(super) struct Dispatcher {
    pub(super) app: App,
    pub(super) port: u16,
    pub(super) process: Process,
    pub(super) client: Client,
    pub(super) account: QueueAccount,
    pub(super) invocations: Recorded<Invocation>,
    pub(super) clock: Clock,
    pub(super) host_version: String,
    pub(super) chunked: bool,
    pub(super) traceparent: bool,
    pub(super) trace_flags: u8,
    /// Invocations of one timer never overlap.
    pub(super) timers: BTreeMap<String, tokio::sync::Mutex<()>>,
}

/// The identifiers of an invocation on the wire.
struct Identity {
    id: String,
    traceparent: Option<String>,
    headers: HeaderMap,
}

impl Dispatcher {
    /// Runs a function and records the result. Completes when the host would.
    pub(super) async fn invoke(&self, function: &Function, trigger: &Trigger) -> Invocation {
        let _alone = match self.timers.get(&function.name) {
            Some(timer) => Some(timer.lock().await),
            None => None,
        };
        let identity = self.identify();
        let mut invocation = Invocation {
            function: function.name.clone(),
            id: identity.id,
            traceparent: identity.traceparent,
            verdict: Verdict::Succeeded,
            reply: None,
            outputs: Map::new(),
            return_value: Value::Null,
            logs: Vec::new(),
        };
        if let Some(mismatch) = mismatch(function, trigger) {
            invocation.verdict = Verdict::Failed(Failure::Trigger(mismatch));
            return self.record(invocation);
        }
        let pid = match self.when_ready().await {
            Ok(pid) => pid,
            Err(failure) => {
                invocation.verdict = Verdict::Failed(failure);
                return self.record(invocation);
            }
        };
        let body = Bytes::from(envelope(function, trigger, self.clock.now()).to_string());
        let started = Instant::now();
        let posted = self.client.post(uri(self.port, &function.name), &identity.headers, &body, self.chunked);
        let posted = match self.app.function_timeout {
            Some(limit) => timeout(limit, posted).await,
            None => Ok(posted.await),
        };
        match posted {
            Err(_) => {
                invocation.verdict = Verdict::TimedOut;
                self.restart(pid).await;
            }
            Ok(Err(failure)) => invocation.verdict = Verdict::Failed(failure),
            Ok(Ok(reply)) => self.take(function, reply, &mut invocation).await,
        }
        let invocation = self.record(invocation);
        if invocation.verdict == Verdict::Hung {
            match self.app.function_timeout {
                Some(limit) => sleep_until(started + limit).await,
                None => std::future::pending().await,
            }
            self.restart(pid).await;
        }
        invocation
    }

    /// Posts any bytes to any path, with the headers of an invocation. Does not judge or record the reply.
    pub(super) async fn post_raw(&self, path: &str, body: Bytes) -> Result<RawReply, Failure> {
        self.when_ready().await?;
        let headers = self.identify().headers;
        self.client.post(uri(self.port, path), &headers, &body, self.chunked).await
    }

    async fn take(&self, function: &Function, reply: RawReply, invocation: &mut Invocation) {
        let judgement = judge(&reply);
        invocation.reply = Some(reply);
        match judgement {
            Judgement::Failed(failure) => invocation.verdict = Verdict::Failed(failure),
            Judgement::Hung => invocation.verdict = Verdict::Hung,
            Judgement::Answered(answer) => {
                let encoding = self.app.queues.encoding;
                let bound =
                    outputs::bind(function, &answer.outputs, &answer.return_value, &self.account, encoding);
                if let Err(failure) = bound.await {
                    invocation.verdict = Verdict::Failed(failure);
                }
                invocation.outputs = answer.outputs;
                invocation.return_value = answer.return_value;
                invocation.logs = answer.logs;
            }
        }
    }

    fn record(&self, invocation: Invocation) -> Invocation {
        self.invocations.push(invocation.clone());
        invocation
    }

    fn identify(&self) -> Identity {
        let id = Uuid::new_v4().to_string();
        let version = format!("{}.0", self.host_version);
        let traceparent = self.traceparent.then(|| {
            let (trace, span) = (Uuid::new_v4().simple(), Uuid::new_v4().simple().to_string());
            format!("00-{trace}-{}-{:02x}", &span[..16], self.trace_flags)
        });
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(HeaderName::from_static("x-azure-functions-hostversion"), &version);
        set(HeaderName::from_static("x-azure-functions-invocationid"), &id);
        set(header::USER_AGENT, &format!("Azure-Functions-Host/{version}"));
        set(header::CONTENT_TYPE, "application/json; charset=utf-8");
        if let Some(traceparent) = &traceparent {
            set(HeaderName::from_static("traceparent"), traceparent);
        }
        Identity { id, traceparent, headers }
    }

    /// Waits until the handler answers, up to four times its start limit. A handler that exited with code 0
    /// goes unnoticed: its port refuses.
    /// code 0 is not missed: its port refuses.
    async fn when_ready(&self) -> Result<u32, Failure> {
        let mut state = self.process.state.clone();
        let settled = state.wait_for(|state| state.phase != Phase::Starting);
        match timeout(self.app.initialization_timeout * 4, settled).await {
            Ok(Ok(state)) => match &state.phase {
                Phase::Down(reason) => Err(Failure::HostDown(reason.clone())),
                _ => Ok(state.pid.unwrap_or_default()),
            },
            Ok(Err(_)) => Err(Failure::HostDown("the host was stopped".to_owned())),
            Err(_) => Err(Failure::HostDown("initialization timed out".to_owned())),
        }
    }

    /// Kills a process that has used up `functionTimeout`, and with it everything else in progress.
    async fn restart(&self, pid: u32) {
        let (done, ended) = oneshot::channel();
        if self.process.orders.send(Order::Restart(pid, done)).is_ok() {
            // No answer means that the host has stopped.
            let _ = ended.await;
        }
    }
}

/// Why a value cannot be bound to a function's trigger.
fn mismatch(function: &Function, trigger: &Trigger) -> Option<String> {
    let kind = function.trigger.kind.as_str();
    let fits = match trigger {
        Trigger::Event(_) => kind == "eventGridTrigger" && !function.trigger.many,
        Trigger::Events(_) => kind == "eventGridTrigger" && function.trigger.many,
        Trigger::Timer(_) => kind == "timerTrigger",
        Trigger::QueueMessage(_) => kind == "queueTrigger",
    };
    let objects = match trigger {
        Trigger::Event(event) => event.is_object(),
        Trigger::Events(events) => events.iter().all(Value::is_object),
        _ => true,
    };
    match (fits, objects) {
        (false, _) => Some(format!("{} has another trigger", function.name)),
        (_, false) => Some("an event must be a JSON object".to_owned()),
        _ => None,
    }
}

/// The Event Grid extension's webhook of one function.
#[derive(Clone, Debug)]
pub struct EventGridFunction {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) function: String,
}

impl Endpoint for EventGridFunction {
    /// One invocation per event, all at the same time; 202 only if all of them succeed.
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16> {
        Box::pin(async move {
            let function = self.dispatcher.app.functions.get(&self.function);
            let Some(function) = function.filter(|found| found.trigger.kind == "eventGridTrigger") else {
                return 404;
            };
            if matches!(self.dispatcher.process.state.borrow().phase, Phase::Down(_)) {
                return 503;
            }
            let triggers: Vec<_> = if function.trigger.many {
                vec![Trigger::Events(events)]
            } else {
                events.into_iter().map(Trigger::Event).collect()
            };
            let invocations =
                join_all(triggers.iter().map(|one| self.dispatcher.invoke(function, one))).await;
            if invocations.iter().all(Invocation::succeeded) { 202 } else { 500 }
        })
    }
}
