//! The start of an operation, its end, and its URLs.

use axum::http::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::{
    Emulator,
    answer::{Answer, crlf_with_output},
    context::Context,
    fault::Course,
    operation::{Change, End, Operation},
    options::{Asynchronous, OperationStyle},
    refusal::Refusal,
    resource_id::ResourceId,
    state::State,
    write::ResourceWrite,
};

impl Emulator {
    /// How operations run: by the options, or as fast as possible if a fault needs one.
    fn asynchronous(&self) -> Asynchronous {
        match &self.inner.options.operations {
            OperationStyle::Asynchronous(style) => style.clone(),
            OperationStyle::Immediate => Asynchronous {
                duration: std::time::Duration::ZERO,
                in_progress_polls: 0,
                signed_urls: false,
                ..Asynchronous::default()
            },
        }
    }

    /// Starts an operation. The caller has checked for conflicts.
    pub(super) fn start(
        &self,
        context: &Context,
        target: &ResourceId,
        change: Change,
        write: Option<ResourceWrite>,
    ) -> Operation {
        let mut state = self.inner.state.lock();
        self.start_in(&mut state, context, target, change, write)
    }

    pub(super) fn start_in(
        &self,
        state: &mut State,
        context: &Context,
        target: &ResourceId,
        change: Change,
        write: Option<ResourceWrite>,
    ) -> Operation {
        let style = self.asynchronous();
        let location = state.resources.get(&target.key()).and_then(|stored| stored.body["location"].as_str());
        let operation = Operation {
            name: uuid::Uuid::new_v4().to_string(),
            target: target.clone(),
            location: location.map_or_else(|| self.regions(), str::to_owned),
            api_version: context.api_version.clone(),
            change,
            course: context.course.clone(),
            started: self.inner.clock.now(),
            ended: None,
            end: None,
            polls_left: style.in_progress_polls,
            write,
        };
        let ends = !matches!(operation.course, Some(Course::NeverEnds));
        let due = ends.then(|| Instant::now() + style.duration);
        state.start(operation.clone(), due);
        if let Some(due) = due {
            self.settle_at(due);
        }
        operation
    }

    /// Makes sure that operations end without polls.
    fn settle_at(&self, due: Instant) {
        let inner = std::sync::Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            sleep_until(due).await;
            if let Some(inner) = inner.upgrade() {
                Self { inner }.settle();
            }
        });
    }

    /// Ends every operation that is due.
    pub(crate) fn settle(&self) {
        let date = self.inner.clock.now();
        if self.inner.state.lock().settle(Instant::now(), date, &self.inner.writes) {
            self.inner.journal.notify();
        }
    }

    /// Applies a change at once and raises its event.
    pub(crate) fn apply_now(
        &self,
        target: &ResourceId,
        change: &Change,
        mut write: ResourceWrite,
    ) -> Result<Option<Value>, Refusal> {
        let mut state = self.inner.state.lock();
        let date = self.inner.clock.now();
        match state.apply(target, change, date) {
            End::Succeeded { output } => {
                write.at = date;
                write.succeeded = true;
                self.inner.writes.raise(&write);
                drop(state);
                self.inner.journal.notify();
                Ok(output)
            }
            End::Failed { .. } | End::Canceled { .. } => Err(Refusal::resource_not_found()),
        }
    }

    /// The response to a write that continues: both URLs, and when to poll.
    pub(super) fn accepted(&self, context: &Context, operation: &Operation, body: Option<&Value>) -> Answer {
        let mut answer = match body {
            Some(body) => Answer::json(StatusCode::ACCEPTED, body),
            None => Answer::empty(StatusCode::ACCEPTED),
        };
        answer.set("azure-asyncoperation", &self.operation_url(context, operation, false));
        answer.set("location", &self.operation_url(context, operation, true));
        // Recordings of deletions and grants of access lack it.
        if let (Some(seconds), Some(_)) = (self.asynchronous().retry_after_accepted, body) {
            answer.set("retry-after", &seconds.to_string());
        }
        answer
    }

    pub(super) fn operation_url(&self, context: &Context, operation: &Operation, monitor: bool) -> String {
        let signer = self.asynchronous().signed_urls.then_some(&self.inner.secret);
        format!("{}{}?{}", context.request.origin, operation.path(), operation.query(monitor, signer))
    }

    /// The status of an operation, or its result if the query has `monitor=true`.
    pub(super) fn poll(&self, context: &Context, subscription: &str, name: &str) -> Result<Answer, Refusal> {
        let style = self.asynchronous();
        let signer = style.signed_urls.then_some(&self.inner.secret);
        let request = &context.request;
        let monitor = request.parameter("monitor").is_some();
        let mut state = self.inner.state.lock();
        let operation = state
            .operations
            .get_mut(name)
            .filter(|operation| operation.target.subscription.eq_ignore_ascii_case(subscription))
            .ok_or_else(|| Refusal::new(404, "NotFound", "The operation could not be found."))?;
        if signer.is_some() && request.query != operation.query(monitor, signer) {
            // How Azure refuses these is not documented; what matters is that it is not a 200.
            let message = "The signature of the operation's URL does not match.";
            return Err(Refusal::new(403, "InvalidOperationSignature", message));
        }
        let shown = operation.clone();
        operation.polls_left = operation.polls_left.saturating_sub(1);
        drop(state);
        // Recordings of deletions and grants of access lack it, as does their 202.
        let names_a_wait = !matches!(shown.change, Change::Delete | Change::Access(_));
        let wait = style.retry_after_polling.filter(|_| names_a_wait).map(|seconds| seconds.to_string());
        Ok(if monitor { result(&shown, wait.as_deref()) } else { status(&shown, wait.as_deref()) })
    }
}

fn status(operation: &Operation, wait: Option<&str>) -> Answer {
    let status = operation.status();
    match operation.visible_end() {
        Some(End::Succeeded { output: Some(output) }) => {
            Answer::text(StatusCode::OK, "application/json; charset=utf-8", crlf_with_output(&status, output))
        }
        Some(_) => Answer::json(StatusCode::OK, &status),
        None => waiting(Answer::json(StatusCode::OK, &status), wait),
    }
}

fn result(operation: &Operation, wait: Option<&str>) -> Answer {
    match operation.visible_end() {
        None => waiting(Answer::empty(StatusCode::ACCEPTED), wait),
        Some(End::Succeeded { output: Some(output) }) => Answer::json(StatusCode::OK, output),
        Some(End::Succeeded { output: None }) => Answer::empty(StatusCode::OK),
        Some(End::Failed { code, message } | End::Canceled { code, message }) => {
            Refusal::new(409, code, message).answer(&crate::refusal::Subject::default())
        }
    }
}

fn waiting(answer: Answer, seconds: Option<&str>) -> Answer {
    match seconds {
        Some(seconds) => answer.with("retry-after", seconds),
        None => answer,
    }
}
