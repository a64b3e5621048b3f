//! From a trigger to the end of its invocation.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use uuid::Uuid;

use super::EventDates;
use super::{
    app::{App, Function},
    client::{Client, uri},
    envelope::{Input, Trigger, envelope},
    outputs,
    process::{Order, Phase, Process, State},
    reply::{Failure, Judgement, RawReply, Verdict, judge},
};
use crate::{clock::Clock, queue::QueueAccount, recorded::Recorded};

/// The record of one invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// The value of `X-Azure-Functions-InvocationId`.
    pub id: String,
    /// The value of `traceparent`, if it was sent.
    pub traceparent: Option<String>,
    /// When the host began it.
    pub started: OffsetDateTime,
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
    pub(super) invocations: Arc<Recorded<Invocation>>,
    pub(super) clock: Clock,
    pub(super) host_version: String,
    pub(super) chunked: bool,
    pub(super) traceparent: bool,
    pub(super) trace_flags: u8,
    pub(super) event_dates: EventDates,
    /// The functions that an app setting disables: they have no listener.
    pub(super) disabled: BTreeSet<String>,
    pub(super) timers: BTreeMap<String, Timer>,
}

/// Why the host shuts down.
const INITIALIZATION: &str = "initialization timed out";

/// What the host keeps of a timer.
#[derive(Debug, Default)]
pub(super) struct Timer {
    /// Invocations of one timer never overlap.
    pub(super) running: tokio::sync::Mutex<()>,
    /// When it ran last.
    pub(super) last: Mutex<Option<OffsetDateTime>>,
}

/// The identifiers of an invocation on the wire.
struct Identity {
    id: String,
    traceparent: Option<String>,
    headers: HeaderMap,
}

impl Dispatcher {
    /// Runs a function and records the result. Completes when the host would. `functionTimeout` covers the wait for
    /// the handler, the call, and the outputs (`FunctionExecutor`).
    pub(super) async fn invoke(&self, function: &Function, trigger: Trigger) -> Invocation {
        let input = match mismatch(function, &trigger) {
            Some(fault) => Err(fault),
            None => Input::read(trigger, function, self.event_dates, self.clock.now()),
        };
        self.run(function, input).await
    }

    pub(super) async fn run(&self, function: &Function, input: Result<Input, String>) -> Invocation {
        let _alone = match self.timers.get(&function.name) {
            Some(timer) => Some(timer.running.lock().await),
            None => None,
        };
        let identity = self.identify();
        let mut invocation = Invocation {
            function: function.name.clone(),
            id: identity.id,
            traceparent: identity.traceparent,
            started: self.clock.now(),
            verdict: Verdict::Succeeded,
            reply: None,
            outputs: Map::new(),
            return_value: Value::Null,
            logs: Vec::new(),
        };
        let input = match input {
            Ok(input) => input,
            Err(fault) => {
                invocation.verdict = Verdict::Failed(Failure::Trigger(fault));
                return self.record(invocation);
            }
        };
        let started = Instant::now();
        let mut pid = 0;
        let work = self.call(function, &input, &identity.headers, &mut pid, &mut invocation);
        let in_time = if let Some(limit) = self.app.function_timeout {
            timeout(limit, work).await.is_ok()
        } else {
            work.await;
            true
        };
        if !in_time {
            invocation.verdict = Verdict::TimedOut;
            self.restart(pid).await;
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

    async fn call(
        &self,
        function: &Function,
        input: &Input,
        headers: &HeaderMap,
        pid: &mut u32,
        invocation: &mut Invocation,
    ) {
        match self.when_ready().await {
            Ok(ready) => *pid = ready,
            Err(failure) => {
                invocation.verdict = Verdict::Failed(failure);
                return;
            }
        }
        let body = Bytes::from(envelope(function, input, self.clock.now()));
        match self.client.post(uri(self.port, &function.name), headers, &body, self.chunked).await {
            Err(failure) => invocation.verdict = Verdict::Failed(failure),
            Ok(reply) => self.take(function, reply, invocation).await,
        }
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
                if let Err(failure) = outputs::bind(function, &answer, &self.account, encoding).await {
                    invocation.verdict = Verdict::Failed(failure);
                }
                let outputs = answer.outputs.iter();
                invocation.outputs = outputs.map(|(name, value)| (name.clone(), value.into())).collect();
                invocation.return_value = (&answer.return_value).into();
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
        if let Some(traceparent) = &traceparent {
            set(HeaderName::from_static("traceparent"), traceparent);
        }
        set(header::CONTENT_TYPE, "application/json; charset=utf-8");
        Identity { id, traceparent, headers }
    }

    /// Waits until the handler answers, up to four times its start limit. Then the host shuts down, and the invocation
    /// is sent all the same (`WorkerFunctionInvoker`; the recording `process/binary-missing.json`). A handler that
    /// exited with code 0 goes unnoticed: its port refuses.
    async fn when_ready(&self) -> Result<u32, Failure> {
        let mut state = self.process.state.clone();
        let settled = state.wait_for(|state| !state.phase.is_awaited());
        let settled = timeout(self.app.initialization_timeout * 4, settled).await;
        match settled.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State { phase: Phase::Down(reason), .. })) => return Err(Failure::HostDown(reason)),
            Ok(Ok(state)) => return Ok(state.pid.unwrap_or_default()),
            Ok(Err(_)) => return Err(Failure::HostDown("the host was stopped".to_owned())),
            Err(_) => {}
        }
        let (done, ended) = oneshot::channel();
        if self.process.orders.send(Order::ShutDown(INITIALIZATION.to_owned(), done)).is_ok() {
            // No answer means that the host has stopped.
            let _ = ended.await;
        }
        Ok(0)
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
        Trigger::ByHand(_) => true,
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
