//! The activity log of a subscription.
//!
//! Sources: "Activity Logs - List" (the only forms of `$filter`, the members that `$select` takes, `nextLink` with a
//! token), "Azure Activity Log event schema" (an administrative event, with the claims of its caller; the start of an
//! operation and its end are events of their own), "Activity log in Azure Monitor" (90 days).

use axum::http::StatusCode;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Emulator, answer::Answer, context::Context, refusal::Refusal, write::Caller};

/// How long events are kept.
const KEPT: Duration = Duration::days(90);
/// The events of an operation that takes its time, by their status.
const COURSE: [&str; 3] = ["Started", "Accepted", "Succeeded"];
/// What `$select` takes.
const MEMBERS: [&str; 18] = [
    "authorization",
    "claims",
    "correlationId",
    "description",
    "eventDataId",
    "eventName",
    "eventTimestamp",
    "httpRequest",
    "level",
    "operationId",
    "operationName",
    "properties",
    "resourceGroupName",
    "resourceProviderName",
    "resourceId",
    "status",
    "submissionTimestamp",
    "subscriptionId",
];

impl Emulator {
    /// Records an operation that has succeeded, such as `Microsoft.Compute/disks/beginGetAccess/action`.
    pub fn log_operation(&self, operation: &str, resource: &str, caller: &Caller, at: OffsetDateTime) {
        for status in COURSE {
            self.log_event(event(operation, resource, caller, at, status));
        }
    }

    /// Records an event as it is, even one that a client does not expect.
    pub fn log_event(&self, event: Value) {
        self.inner.state.lock().activity.push(event);
    }

    pub(super) fn list_activity(&self, context: &Context, subscription: &str) -> Result<Answer, Refusal> {
        let bad = |message: &str| Refusal::new(400, "BadRequest", message);
        let filter = context.request.parameter("$filter").ok_or_else(|| bad("$filter is required."))?;
        let (since, until, provider) = parse(&filter).ok_or_else(|| bad("The filter is not supported."))?;
        if since < self.inner.clock.now() - KEPT {
            return Err(bad("The start time cannot be more than 90 days in the past."));
        }
        let select = context.request.parameter("$select").unwrap_or_default();
        let members: Vec<&str> = select.split(',').filter(|name| !name.is_empty()).collect();
        if let Some(odd) = members.iter().find(|name| !MEMBERS.contains(*name)) {
            return Err(bad(&format!("$select does not take {odd}.")));
        }
        let place = format!("/subscriptions/{subscription}/").to_ascii_lowercase();
        let is_wanted = |event: &&Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_ascii_lowercase();
            let at = event["eventTimestamp"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
            (text(&event["resourceId"]).starts_with(&place) || !event["resourceId"].is_string())
                && at.is_none_or(|at| (since..=until).contains(&at))
                && provider.as_ref().is_none_or(|provider| {
                    text(&event["resourceProviderName"]["value"]) == provider.to_ascii_lowercase()
                })
        };
        let wanted: Vec<Value> = self.inner.state.lock().activity.iter().filter(is_wanted).cloned().collect();
        let start = context.request.parameter("$skipToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        let most = self.inner.options.page_size.max(1);
        let shown = |event: &Value| match (event.as_object(), members.is_empty()) {
            (Some(all), false) => all
                .iter()
                .filter(|(name, _)| members.contains(&name.as_str()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
            _ => event.clone(),
        };
        let value: Vec<Value> = wanted.iter().skip(start).take(most).map(shown).collect();
        let mut page = json!({"value": value});
        if start + most < wanted.len() {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("api-version", &context.api_version)
                .append_pair("$filter", &filter)
                .append_pair("$select", &select)
                .append_pair("$skipToken", &(start + most).to_string())
                .finish();
            page["nextLink"] =
                Value::from(format!("{}{}?{query}", context.request.origin, context.request.path));
        }
        Ok(Answer::json(StatusCode::OK, &page))
    }
}

/// The times and the provider of a filter: a time range, and a range with a provider, are two of the forms.
fn parse(filter: &str) -> Option<(OffsetDateTime, OffsetDateTime, Option<String>)> {
    let rest = filter.strip_prefix("eventTimestamp ge '")?;
    let (since, rest) = rest.split_once("' and eventTimestamp le '")?;
    let (until, rest) = rest.split_once('\'')?;
    let provider = match rest {
        "" => None,
        rest => Some(rest.strip_prefix(" and resourceProvider eq '")?.strip_suffix('\'')?.to_owned()),
    };
    let time = |text| OffsetDateTime::parse(text, &Rfc3339).ok();
    Some((time(since)?, time(until)?, provider))
}

fn event(operation: &str, resource: &str, caller: &Caller, at: OffsetDateTime, status: &str) -> Value {
    let mut claims = json!({
        "aud": "https://management.azure.com/",
        "appid": caller.app_id,
        "appidacr": if caller.is_user { "0" } else { "2" },
        "idtyp": if caller.is_user { "user" } else { "app" },
        "http://schemas.microsoft.com/identity/claims/objectidentifier": caller.object_id,
        "ver": "1.0",
    });
    if let Some(name) = &caller.name {
        let upn = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        claims["name"] = json!(name);
        claims["http://schemas.microsoft.com/identity/claims/scope"] = json!("user_impersonation");
        claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] = json!(upn);
    }
    let id = uuid::Uuid::new_v4().to_string();
    json!({
        "authorization": {"action": operation, "scope": resource},
        "caller": caller.name.as_ref().unwrap_or(&caller.object_id),
        "claims": claims,
        "correlationId": id,
        "eventDataId": id,
        "eventName": {"value": if status == "Succeeded" { "EndRequest" } else { "BeginRequest" }},
        "eventTimestamp": at.format(&Rfc3339).unwrap_or_default(),
        "level": "Informational",
        "operationName": {"value": operation, "localizedValue": "Get disk SAS URI"},
        "resourceId": resource,
        "resourceProviderName": {"value": "Microsoft.Compute"},
        "status": {"value": status, "localizedValue": status},
    })
}
