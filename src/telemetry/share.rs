//! Which traces are exported: every one of an invocation that sealed, waited or failed, and a share of the others.
//!
//! Only the end of an invocation shows whether it changed something, so the spans of one whose trace is outside the
//! share are held until then. An invocation that is not known to have changed nothing is exported.

use std::{collections::HashMap, mem::take, time::Duration};

use opentelemetry::{
    Context, Key, SpanId, TraceId, Value,
    trace::{Span as _, SpanKind, Status, TraceContextExt},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, SamplingDecision, ShouldSample, Span, SpanData, SpanProcessor},
};
use parking_lot::Mutex;

use super::{
    metrics,
    size::{bounded_span, span_bytes},
};

/// On the span of an invocation: that it found nothing to do.
const UNCHANGED: Key = Key::from_static_str("diskseal.unchanged");

/// How many spans of one invocation are held. One that changes nothing has three; one for a machine has two for each
/// disk, of which there are 32 at most.
const HELD_OF_ONE_MAX: usize = 128;
/// How many spans of all invocations are held, as many as a queue has by default. Whoever would exceed it is exported.
const HELD_MAX: usize = 2_048;
/// How many bytes they have together.
const HELD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Exports the spans of a share of all invocations, and of each invocation that is not marked as having changed
/// nothing.
#[derive(Debug)]
pub(super) struct Share<P> {
    /// The share of traces that are exported whatever they are. The trace's ID decides, so that all instances, and
    /// everybody else who samples by the standard's `TraceIdRatioBased`, decide alike.
    sampler: Sampler,
    next: Vec<P>,
    held: Mutex<Held>,
}

/// The spans of invocations outside the share.
#[derive(Debug, Default)]
struct Held {
    /// The invocation's span, for each span in progress.
    roots: HashMap<SpanId, SpanId>,
    /// What has ended of each invocation in progress. One that is certain to be exported is not in it any more.
    invocations: HashMap<SpanId, Vec<SpanData>>,
    spans: usize,
    bytes: usize,
}

/// What becomes of a span that has ended, and of those that were held for it.
enum Verdict {
    /// It is held until its invocation ends.
    Held,
    /// They are exported, in this order.
    Exported(Vec<SpanData>),
    /// The invocation changed nothing: they are left out.
    LeftOut,
}

impl<P: SpanProcessor> Share<P> {
    /// `ratio` is the share of traces of invocations that changed nothing, from 0 to 1.
    pub(super) fn new(ratio: f64, next: Vec<P>) -> Self {
        Self { sampler: Sampler::TraceIdRatioBased(ratio), next, held: Mutex::default() }
    }

    fn is_in_share(&self, trace_id: TraceId) -> bool {
        let sampled = self.sampler.should_sample(None, trace_id, "", &SpanKind::Internal, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }

    fn export(&self, span: SpanData) {
        if let [only] = self.next.as_slice() {
            return only.on_end(span);
        }
        self.next.iter().for_each(|next| next.on_end(span.clone()));
    }
}

impl Held {
    /// A span whose parent is not in progress here, because it is the host's for example, is an invocation's.
    fn start(&mut self, span: SpanId, parent: SpanId) {
        let root = self.roots.get(&parent).copied();
        if root.is_none() {
            self.invocations.insert(span, Vec::new());
        }
        self.roots.insert(span, root.unwrap_or(span));
    }

    fn end(&mut self, mut span: SpanData) -> Verdict {
        let id = span.span_context.span_id();
        let Some(root) = self.roots.remove(&id) else { return Verdict::Exported(vec![span]) };
        let is_kept = matches!(span.status, Status::Error { .. }) || (root == id && !is_unchanged(&span));
        if root == id && !is_kept && self.invocations.contains_key(&root) {
            self.release(root);
            return Verdict::LeftOut;
        }
        let bytes = bounded_span(&mut span);
        if let Some(held) = self.invocations.get_mut(&root)
            && !is_kept
            && held.len() < HELD_OF_ONE_MAX
            && self.spans < HELD_MAX
            && self.bytes.saturating_add(bytes) <= HELD_BYTES_MAX
        {
            held.push(span);
            self.spans += 1;
            self.bytes += bytes;
            return Verdict::Held;
        }
        let mut released = self.release(root);
        released.push(span);
        Verdict::Exported(released)
    }

    /// What is held of an invocation, which is decided now.
    fn release(&mut self, root: SpanId) -> Vec<SpanData> {
        let released = self.invocations.remove(&root).unwrap_or_default();
        self.spans = self.spans.saturating_sub(released.len());
        self.bytes = self.bytes.saturating_sub(released.iter().map(span_bytes).sum());
        released
    }
}

fn is_unchanged(span: &SpanData) -> bool {
    span.attributes.iter().any(|one| one.key == UNCHANGED && one.value == Value::Bool(true))
}

impl<P: SpanProcessor> SpanProcessor for Share<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let own = span.span_context();
        if !self.is_in_share(own.trace_id()) {
            self.held.lock().start(own.span_id(), context.span().span_context().span_id());
        }
        self.next.iter().for_each(|next| next.on_start(span, context));
    }

    fn on_end(&self, span: SpanData) {
        if self.is_in_share(span.span_context.trace_id()) {
            return self.export(span);
        }
        let verdict = self.held.lock().end(span);
        match verdict {
            Verdict::Held => {}
            Verdict::Exported(spans) => spans.into_iter().for_each(|span| self.export(span)),
            Verdict::LeftOut => metrics::trace_dropped(),
        }
    }

    /// Exports what is held of invocations in progress: how they end is not known, and may not be known any more.
    fn force_flush(&self) -> OTelSdkResult {
        let held = {
            let mut held = self.held.lock();
            (held.spans, held.bytes) = (0, 0);
            take(&mut held.invocations)
        };
        held.into_values().flatten().for_each(|span| self.export(span));
        Ok(())
    }

    /// As with the processors behind it, which are stopped by themselves.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
