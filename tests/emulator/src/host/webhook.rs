//! The webhook of the Event Grid extension: `EventGridExtensionConfigProvider` and `HttpRequestProcessor`.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use super::{
    Failure, Invocation, Verdict, app::Function, dispatch::Dispatcher, envelope::Input, json::Token,
    process::Phase,
};
use crate::event_grid::Endpoint;

/// A request to the webhook.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRequest<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The value of `aeg-event-type`.
    pub event_type: Option<&'a str>,
    /// The value of `WebHook-Request-Origin`, of the handshake for CloudEvents.
    pub origin: Option<&'a str>,
    /// The body.
    pub body: &'a str,
}

/// The webhook's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The value of `Webhook-Allowed-Origin`.
    pub allowed_origin: Option<String>,
    /// The body, which is plain text.
    pub body: String,
}

impl WebhookAnswer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, allowed_origin: None, body: body.into() }
    }

    /// The extension throws. That the host answers 500 then is not recorded.
    fn thrown() -> Self {
        Self::new(500, "")
    }
}

/// The Event Grid extension's webhook of one function.
#[derive(Clone, Debug)]
pub struct EventGridFunction {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) function: String,
}

impl EventGridFunction {
    /// Answers a request as the extension does.
    pub async fn receive(&self, request: WebhookRequest<'_>) -> WebhookAnswer {
        let Some(function) = self.listening() else {
            return WebhookAnswer::new(404, format!("cannot find function: '{}'", self.function));
        };
        let is = |name: &str| request.event_type.is_some_and(|kind| kind.eq_ignore_ascii_case(name));
        if request.method == "OPTIONS" {
            let allowed_origin = request.origin.map(str::to_owned);
            return WebhookAnswer { allowed_origin, ..WebhookAnswer::new(200, "") };
        }
        if is("SubscriptionValidation") {
            let code = Token::read(request.body).ok().and_then(|events| match events {
                Token::Array(events) => match events.first()?.get("data")?.get("validationCode")? {
                    Token::Text(code) => Some(code.clone()),
                    _ => None,
                },
                _ => None,
            });
            let answer = |code| WebhookAnswer::new(200, json!({ "validationResponse": code }).to_string());
            return code.map_or_else(WebhookAnswer::thrown, answer);
        }
        match () {
            () if is("Notification") => self.notify(function, request.body).await,
            () if is("Unsubscribe") => WebhookAnswer::new(202, ""),
            () => WebhookAnswer::new(400, ""),
        }
    }

    /// A function with another trigger, and a disabled one, have no listener. The name's case counts.
    fn listening(&self) -> Option<&Function> {
        let function = self.dispatcher.app.functions.get(&self.function);
        function
            .filter(|found| found.trigger.kind == "eventGridTrigger")
            .filter(|found| !self.dispatcher.disabled.contains(&found.name))
    }

    async fn notify(&self, function: &Function, body: &str) -> WebhookAnswer {
        let body = body.trim_start_matches('\u{feff}');
        let is_comment = body.trim_start().starts_with('/');
        let events = match Token::read(body) {
            Ok(Token::Array(events)) if !is_comment => events,
            Ok(event @ Token::Object(_)) if !is_comment => vec![event],
            _ => return WebhookAnswer::thrown(),
        };
        self.run(function, events).await
    }

    /// One invocation per event, all at the same time. An element that is no object makes the extension throw, after it
    /// has started the ones before it.
    async fn run(&self, function: &Function, events: Vec<Token>) -> WebhookAnswer {
        let objects = events.iter().take_while(|event| event.is_object()).count();
        let throws = objects < events.len();
        let read = |event| self.dispatcher.event_dates.read(event);
        let inputs: Vec<_> = match function.trigger.many {
            true if throws || events.is_empty() => Vec::new(),
            true => vec![Input::Events(events.into_iter().map(read).collect())],
            false => events.into_iter().take(objects).map(|event| Input::Event(read(event))).collect(),
        };
        let running = inputs.into_iter().map(|input| self.dispatcher.run(function, Ok(input)));
        let invocations = join_all(running).await;
        match invocations.iter().find(|one| !one.succeeded()) {
            _ if throws => WebhookAnswer::thrown(),
            None => WebhookAnswer::new(202, ""),
            Some(failed) => WebhookAnswer::new(500, self.exception(failed)),
        }
    }

    /// The message of the first exception.
    fn exception(&self, failed: &Invocation) -> String {
        let name = format!("Functions.{}", failed.function);
        match (&failed.verdict, self.dispatcher.app.function_timeout) {
            (Verdict::TimedOut | Verdict::Hung, Some(limit)) => {
                let seconds = limit.as_secs();
                let limit = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
                format!("Timeout value of {limit} was exceeded by function: {name}")
            }
            (Verdict::Failed(Failure::HostDown(reason)), _) => reason.clone(),
            _ => format!("Exception while executing function: {name}"),
        }
    }
}

impl Endpoint for EventGridFunction {
    fn deliver(&self, events: Vec<Value>) -> BoxFuture<'_, u16> {
        Box::pin(async move {
            let Some(function) = self.listening() else { return 404 };
            if matches!(self.dispatcher.process.state.borrow().phase, Phase::Down(_)) {
                return 503;
            }
            self.run(function, events.iter().map(Token::from).collect()).await.status
        })
    }
}
