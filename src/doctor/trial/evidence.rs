//! What a workspace shows of a look at a resource: its spans, the host's request, and the handler's lines.
//!
//! Columns as in `infra/monitoring/schema.json`: `OTelSpans`, `AppRequests` and `AppTraces` of the reference of Azure
//! Monitor's tables. `TimeGenerated` is the start of a span and of a request.

use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    enforce::{Concern, HAD_MODE, Outcome},
    resource_id::{ResourceId, is_same},
};

type Row = Map<String, Value>;

/// One span of a trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) name: String,
    /// When it began, if the row has it.
    pub(super) started: Option<OffsetDateTime>,
    pub(super) seconds: f64,
    pub(super) attributes: Value,
}

impl Span {
    /// A span of a row; none if it lacks what identifies it.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let id = |name: &str| row.get(name)?.as_str().filter(|id| !id.is_empty()).map(str::to_owned);
        Some(Self {
            trace_id: id("TraceId")?,
            id: id("SpanId")?,
            parent: id("ParentSpanId").unwrap_or_default(),
            name: id("Name")?,
            started: time(row),
            seconds: row.get("DurationMs").and_then(Value::as_f64).unwrap_or_default() / 1_000.0,
            attributes: row.get("Attributes").cloned().unwrap_or_default(),
        })
    }

    /// An attribute that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attributes[name].as_str()
    }

    /// An attribute that is a number, or a text with one (docs/azure-unknowns.md, M2).
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let value = &self.attributes[name];
        value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number: &f64| number.is_finite())
    }

    /// Whether it is the span `enforce` of a look at this resource.
    pub(super) fn is_look_at(&self, id: &ResourceId) -> bool {
        let resource = self.text("diskseal.resource_id");
        self.name == "enforce" && resource.is_some_and(|text| is_same(text, &id.to_string()))
    }

    /// Whether it is a request to ARM.
    pub(super) fn is_request(&self) -> bool {
        self.attributes["http.request.method"].is_string()
    }

    /// Whether it is a wait.
    pub(super) fn is_wait(&self) -> bool {
        self.name.starts_with("wait for ")
    }
}

/// How a look ended, by its span or by its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// A word of the outcomes, such as `sealed` or `pending`.
    pub(super) outcome: String,
    /// Why: the reason of the span, or the rest of the line.
    pub(super) why: Option<String>,
}

impl Ended {
    pub(super) fn of_span(span: &Span) -> Option<Self> {
        let outcome = span.text("diskseal.outcome")?.to_owned();
        let why = span.text("diskseal.reason").or_else(|| span.text("error.type")).map(str::to_owned);
        Some(Self { outcome, why })
    }

    /// The line of a look at this resource: its first word is the outcome (docs/log.md).
    pub(super) fn of_line(line: &str, id: &ResourceId) -> Option<Self> {
        let line = line.trim();
        let line = line.strip_prefix("warning: ").or_else(|| line.strip_prefix("error: ")).unwrap_or(line);
        let (outcome, rest) = line.split_once(' ')?;
        let labels =
            Outcome::labels().into_iter().chain([Concern::Resource, Concern::System].map(Concern::label));
        let is_known = labels.into_iter().any(|label| label == outcome);
        let (resource, why) = rest.split_once([':', ';', ' ']).unwrap_or((rest, ""));
        let is_it = is_known && is_same(resource, &id.to_string());
        let why = why.trim();
        is_it.then(|| Self { outcome: outcome.to_owned(), why: (!why.is_empty()).then(|| why.to_owned()) })
    }

    /// Whether the resource has the seal after it.
    pub(super) fn is_sealed(&self) -> bool {
        // Without the mode, the network settings are no seal.
        let had_mode = self.why.as_deref().is_none_or(|why| why == HAD_MODE);
        let is_network = self.outcome == "network_sealed" && had_mode;
        is_network || ["sealed", "tagged", "already_sealed"].contains(&self.outcome.as_str())
    }

    /// Whether no later look at the same resource ends otherwise while nobody changes anything.
    pub(super) fn is_final(&self) -> bool {
        ["exempt", "protected", "switched_off", "would_seal"].contains(&self.outcome.as_str())
            || self.is_sealed()
    }
}

/// The query for the looks at what is in a resource group, and how they ended.
pub(super) fn looks(disk: &ResourceId, snapshot: &ResourceId) -> String {
    format!(
        "OTelSpans | where Name == 'enforce' and (tostring(Attributes['diskseal.resource_id']) =~ '{disk}' or \
         tostring(Attributes['diskseal.resource_id']) =~ '{snapshot}') | project TimeGenerated, Name, DurationMs, \
         Attributes, TraceId, SpanId, ParentSpanId"
    )
}

/// The query for all spans of these traces.
pub(super) fn spans(traces: &[String]) -> String {
    format!(
        "OTelSpans | where TraceId in ({}) | project TimeGenerated, Name, DurationMs, Attributes, TraceId, SpanId, \
         ParentSpanId",
        quoted(traces)
    )
}

/// The query for the host's requests of these traces.
pub(super) fn requests(traces: &[String]) -> String {
    format!("AppRequests | where OperationId in ({}) | project TimeGenerated, OperationId", quoted(traces))
}

/// The query for the handler's lines about what is in a resource group.
pub(super) fn lines(group: &str) -> String {
    format!("AppTraces | where Message contains '{group}' | project Message")
}

/// When the host began the first request of a trace.
pub(super) fn began(requests: &[Row], trace_id: &str) -> Option<OffsetDateTime> {
    let is_of_it = |row: &&Row| row.get("OperationId").and_then(Value::as_str) == Some(trace_id);
    requests.iter().filter(is_of_it).filter_map(time).min()
}

/// The line of a row.
pub(super) fn message(row: &Row) -> Option<&str> {
    row.get("Message")?.as_str()
}

/// Trace IDs are hexadecimal, so nothing in them can end the text.
fn quoted(traces: &[String]) -> String {
    let ids = traces.iter().filter(|id| id.chars().all(|c| c.is_ascii_hexdigit()));
    ids.map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ")
}

fn time(row: &Row) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(row.get("TimeGenerated")?.as_str()?, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DISK: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";

    #[test]
    fn a_line_is_of_the_resource_that_it_names_and_begins_with_an_outcome() {
        let id: ResourceId = DISK.parse().unwrap();
        let ended = |line: &str| Ended::of_line(line, &id).map(|ended| (ended.outcome, ended.why));
        let sealed = Some(("sealed".to_owned(), None));
        assert_eq!(ended(&format!("sealed {DISK}")), sealed);
        assert_eq!(ended(&format!("sealed {}", DISK.to_uppercase())), sealed);
        let pending = ended(&format!("warning: pending {DISK}: setting dataAccessAuthMode failed"));
        assert_eq!(
            pending,
            Some(("pending".to_owned(), Some("setting dataAccessAuthMode failed".to_owned())))
        );
        for other in ["", "sealed", "sealed /x", &format!("sealed {DISK}2"), &format!("seen {DISK}")] {
            assert_eq!(ended(other), None, "{other}");
        }
    }

    #[test]
    fn a_span_without_an_identity_is_none_and_numbers_may_be_texts() {
        let row = |row: Value| Span::of(row.as_object().unwrap());
        assert_eq!(row(json!({"TraceId": "a", "SpanId": "", "Name": "x"})), None);
        let span = row(json!({"TraceId": "a", "SpanId": "b", "Name": "x", "DurationMs": 1500.0,
            "Attributes": {"n": "2.5", "m": 3, "o": "NaN"}, "TimeGenerated": "2027-01-31T12:00:00.5Z"}));
        let span = span.unwrap();
        assert_eq!((span.number("n"), span.number("m"), span.number("o")), (Some(2.5), Some(3.0), None));
        assert!(span.started.is_some() && (span.seconds - 1.5).abs() < 1e-9);
    }

    #[test]
    fn only_hexadecimal_ids_go_into_a_query() {
        let query = spans(&["0af".to_owned(), "x') | take 1".to_owned()]);
        assert!(query.contains("in ('0af')"), "{query}");
    }
}
