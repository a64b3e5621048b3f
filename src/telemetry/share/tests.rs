//! What is held, what is let go, and that the memory has an end.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    trace::{SpanContext, TraceFlags, TraceState, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::*;

/// A destination: the names of the spans that it got.
#[derive(Clone, Debug, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Names {
    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

impl SpanProcessor for Names {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().push(span.name.into_owned());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn sharing(ratio: f64) -> (SdkTracerProvider, SdkTracer, Names) {
    let names = Names::default();
    let share = Share::new(ratio, vec![names.clone()]);
    let provider = SdkTracerProvider::builder().with_span_processor(share).build();
    let tracer = provider.tracer("test");
    (provider, tracer, names)
}

/// Starts a span below `parent`.
fn start(tracer: &SdkTracer, name: &'static str, parent: &Context) -> Context {
    parent.with_span(tracer.start_with_context(name, parent))
}

/// Ends an invocation that changed nothing.
fn end_unchanged(root: &Context) {
    root.span().set_attribute(KeyValue::new(UNCHANGED, true));
    root.span().end();
}

#[test]
fn only_a_mark_on_the_invocation_itself_leaves_a_trace_out() {
    let (_provider, tracer, names) = sharing(0.0);
    let root = start(&tracer, "unchanged", &Context::new());
    start(&tracer, "child", &root).span().end();
    end_unchanged(&root);
    assert_eq!(names.all(), Vec::<String>::new());

    let root = start(&tracer, "unmarked", &Context::new());
    let child = start(&tracer, "marked child", &root);
    child.span().set_attribute(KeyValue::new(UNCHANGED, true));
    child.span().end();
    assert_eq!(names.all(), Vec::<String>::new(), "held until the end");
    root.span().end();
    assert_eq!(names.all(), ["marked child", "unmarked"]);
}

#[test]
fn what_failed_is_exported_at_once_and_with_what_came_before_it() {
    let (_provider, tracer, names) = sharing(0.0);
    let root = start(&tracer, "root", &Context::new());
    start(&tracer, "before", &root).span().end();
    let failed = start(&tracer, "failed", &root);
    failed.span().set_status(Status::error("503"));
    failed.span().end();
    assert_eq!(names.all(), ["before", "failed"]);
    end_unchanged(&root);
    assert_eq!(names.all(), ["before", "failed", "root"], "a trace is whole, or not there");
}

#[test]
fn invocations_of_one_trace_are_decided_one_by_one() {
    let (_provider, tracer, names) = sharing(0.0);
    let remote = SpanContext::new(
        TraceId::from(u128::MAX),
        SpanId::from(1),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let remote = Context::new().with_remote_span_context(remote);
    let (quiet, busy) = (start(&tracer, "quiet", &remote), start(&tracer, "busy", &remote));
    start(&tracer, "of quiet", &quiet).span().end();
    start(&tracer, "of busy", &start(&tracer, "between", &busy)).span().end();
    end_unchanged(&quiet);
    busy.span().end();
    assert_eq!(names.all(), ["of busy", "between", "busy"]);
}

#[test]
fn the_share_is_that_of_the_standards_sampler() {
    for (low, is_in) in [(0, true), ((1_u64 << 63) - 1, true), (1 << 63, false), (u64::MAX, false)] {
        let share = Share::<Names>::new(0.5, vec![]);
        assert_eq!(share.is_in_share(TraceId::from((7 << 64) | u128::from(low))), is_in, "{low:x}");
    }
    let (_provider, tracer, names) = sharing(1.0);
    let root = start(&tracer, "root", &Context::new());
    end_unchanged(&root);
    assert_eq!(names.all(), ["root"]);
}

#[test]
fn an_invocation_with_more_spans_than_are_held_is_exported_whole() {
    let (_provider, tracer, names) = sharing(0.0);
    let root = start(&tracer, "root", &Context::new());
    for _ in 0..HELD_OF_ONE_MAX {
        start(&tracer, "child", &root).span().end();
    }
    assert_eq!(names.all().len(), 0);
    start(&tracer, "child", &root).span().end();
    start(&tracer, "child", &root).span().end();
    end_unchanged(&root);
    assert_eq!(names.all().len(), HELD_OF_ONE_MAX + 3);
}

#[test]
fn all_invocations_together_hold_no_more_than_a_queue_and_what_ends_makes_room() {
    let (_provider, tracer, names) = sharing(0.0);
    let roots: Vec<_> = (0..40).map(|_| start(&tracer, "root", &Context::new())).collect();
    for root in &roots {
        for _ in 0..64 {
            start(&tracer, "child", root).span().end();
        }
    }
    // 32 hold 64 each; of each other one, the first span was exported, and so is the rest.
    assert_eq!(names.all().len(), 8 * 64);
    roots.iter().for_each(end_unchanged);
    assert_eq!(names.all().len(), 8 * 65);
    let root = start(&tracer, "root", &Context::new());
    start(&tracer, "child", &root).span().end();
    end_unchanged(&root);
    assert_eq!(names.all().len(), 8 * 65, "there is room again");
}

#[test]
fn long_texts_count_as_bytes_and_are_cut() {
    let (_provider, tracer, names) = sharing(0.0);
    // Ten texts, cut at 2 KiB, make 20 KiB a span, so the bytes run out long before the spans do.
    let roots: Vec<_> = (0..40).map(|_| start(&tracer, "root", &Context::new())).collect();
    for root in &roots {
        for _ in 0..20 {
            let child = start(&tracer, "child", root);
            for n in 0..10 {
                child.span().set_attribute(KeyValue::new(format!("k{n}"), "x".repeat(100_000)));
            }
            child.span().end();
        }
    }
    let held = 40 * 20 - names.all().len();
    assert!((300..=HELD_BYTES_MAX / (10 * 2_048)).contains(&held), "{held}");
}

#[test]
fn what_is_held_of_invocations_in_progress_is_exported_when_the_process_stops() {
    let (provider, tracer, names) = sharing(0.0);
    let root = start(&tracer, "root", &Context::new());
    start(&tracer, "child", &root).span().end();
    provider.force_flush().unwrap();
    assert_eq!(names.all(), ["child"]);
    end_unchanged(&root);
    assert_eq!(names.all(), ["child", "root"]);
}

#[test]
fn every_destination_gets_what_is_exported() {
    let both = [Names::default(), Names::default()];
    let share = Share::new(0.0, both.to_vec());
    let provider = SdkTracerProvider::builder().with_span_processor(share).build();
    start(&provider.tracer("test"), "root", &Context::new()).span().end();
    assert_eq!(both.map(|names| names.all()), [["root"], ["root"]]);
}
