//! Where the time of a seal went, by part: Event Grid, the host, Diskseal, ARM.
//!
//! The parts add up to the time from the write to the end of the look. `diskseal.event_age_seconds` is measured when the
//! invocation arrives, so it holds Event Grid's part and the host's; the host's own request shows where one ends.

use std::fmt;

use time::OffsetDateTime;

use super::evidence::Span;

/// The parts, in seconds; none where nothing shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// From the write to the invocation: what Event Grid and the host took.
    delivery: Option<f64>,
    /// The host's share of it.
    host: Option<f64>,
    /// What is neither a request nor a wait.
    diskseal: f64,
    /// All requests to ARM.
    arm: f64,
    /// All waits.
    waits: f64,
    /// The function of the look, such as `seal_on_write`.
    function: String,
}

impl Parts {
    /// The parts of a look, out of the spans of its trace. None if the span of its invocation is not there yet.
    /// `host` is when the host began its request.
    pub(super) fn of(look: &Span, spans: &[Span], host: Option<OffsetDateTime>) -> Option<Self> {
        let invocation = spans.iter().find(|span| {
            span.trace_id == look.trace_id && !look.parent.is_empty() && span.id == look.parent
        })?;
        let own = || spans.iter().filter(|span| span.trace_id == look.trace_id && span.parent == look.id);
        // `fold`, because the sum of nothing is -0.
        let sum =
            |is: fn(&Span) -> bool| own().filter(|span| is(span)).fold(0.0, |all, span| all + span.seconds);
        let (arm, waits) = (sum(Span::is_request), sum(Span::is_wait));
        let delivery = invocation.number("diskseal.event_age_seconds").map(|age| age.max(0.0));
        let host =
            host.zip(invocation.started).map(|(began, invoked)| (invoked - began).as_seconds_f64().max(0.0));
        Some(Self {
            host: host.map(|host| delivery.map_or(host, |delivery| host.min(delivery))),
            delivery,
            diskseal: (look.seconds - arm - waits).max(0.0),
            arm,
            waits,
            function: invocation.name.clone(),
        })
    }

    /// Whether the host's part is known.
    pub(super) fn has_host(&self) -> bool {
        self.host.is_some()
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivery, host, diskseal, arm, waits, function } = self;
        match (delivery, host) {
            (Some(delivery), Some(host)) => {
                write!(f, "Event Grid {:.3} s, host {host:.3} s", delivery - host)?;
            }
            (Some(delivery), None) => write!(f, "Event Grid and host {delivery:.3} s")?,
            (None, Some(host)) => write!(f, "Event Grid unknown, host {host:.3} s")?,
            (None, None) => f.write_str("Event Grid and host unknown")?,
        }
        write!(f, ", Diskseal {diskseal:.3} s, ARM {arm:.3} s")?;
        if *waits > 0.0 {
            write!(f, ", waits {waits:.3} s")?;
        }
        let all = delivery.unwrap_or_default() + diskseal + arm + waits;
        write!(f, "; {all:.3} s in all, by {function}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn span(name: &str, id: &str, parent: &str, seconds: f64) -> Span {
        Span {
            trace_id: "t".to_owned(),
            id: id.to_owned(),
            parent: parent.to_owned(),
            name: name.to_owned(),
            started: Some(datetime!(2027-01-31 12:00:01 UTC)),
            seconds,
            attributes: json!({}),
        }
    }

    #[test]
    fn the_parts_add_up_and_an_unknown_one_is_said() {
        let look = span("enforce", "2", "1", 1.0);
        let mut invocation = span("seal_on_write", "1", "0", 1.1);
        invocation.attributes = json!({"diskseal.event_age_seconds": 2.0});
        let mut request = span("GET …", "3", "2", 0.25);
        request.attributes = json!({"http.request.method": "GET"});
        let foreign = Span { trace_id: "other".to_owned(), ..request.clone() };
        let spans = [look.clone(), invocation, request, span("wait for proof", "4", "2", 0.5), foreign];
        let text = |host| Parts::of(&look, &spans, host).unwrap().to_string();
        let host = Some(datetime!(2027-01-31 12:00:00.5 UTC));
        assert_eq!(
            text(host),
            "Event Grid 1.500 s, host 0.500 s, Diskseal 0.250 s, ARM 0.250 s, waits 0.500 s; 3.000 s in all, by \
             seal_on_write"
        );
        assert!(text(None).starts_with("Event Grid and host 2.000 s, Diskseal 0.250 s"), "{}", text(None));
        assert_eq!(Parts::of(&look, &spans[2..], host), None, "the invocation is not there yet");
    }
}
