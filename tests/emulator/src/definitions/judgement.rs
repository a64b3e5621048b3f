//! Checks one exchange against the definitions.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    Definitions,
    contract::{DESCENDANTS_VERSION, MACHINES_VERSION, Place, SUBSCRIPTIONS_VERSION},
    operation::Operation,
    schema::faults,
};
use crate::{
    fault::Kind,
    journal::{Exchange, ODD},
};

/// The rules that apply to an exchange.
enum Rules<'a> {
    Operation(&'a Operation),
    Place(Place),
    /// An operation without definition and without rules.
    None,
}

impl Definitions {
    /// The faults of an exchange. `issued` are the URLs of earlier responses.
    pub fn judge(&self, exchange: &Exchange, issued: &HashSet<String>) -> Vec<String> {
        // A storage queue's data plane shares this address, but is not part of Resource Manager.
        let is_storage = exchange.parameter("comp").is_some() || exchange.parameter("peekonly").is_some();
        if exchange.kind == Kind::Token || is_storage {
            return Vec::new();
        }
        let rules = match (self.find(&exchange.method, &exchange.path), Place::of(&exchange.path)) {
            (Some(operation), _) => Rules::Operation(operation),
            (None, Some(place)) => Rules::Place(place),
            (None, None) => Rules::None,
        };
        let mut found = Vec::new();
        if exchange.is_of_diskseal() {
            let faults = request(&rules, exchange, issued);
            found.extend(faults.into_iter().map(|fault| format!("request: {fault}")));
        }
        // A text that a fault put in place of a response, or a member in an odd form, is not Azure's.
        let is_odd = matches!(exchange.fault, Some("text" | ODD));
        if let Some(status) = exchange.status.filter(|_| !is_odd) {
            let faults = self.answer(&rules, exchange, status);
            found.extend(faults.into_iter().map(|fault| format!("answer {status}: {fault}")));
        }
        found
    }

    fn answer(&self, rules: &Rules<'_>, exchange: &Exchange, status: u16) -> Vec<String> {
        let body = &exchange.response_body;
        let mut found = headers(exchange, status);
        let is_success = (200..300).contains(&status);
        match rules {
            Rules::Operation(operation) if is_success => found.extend(success(operation, exchange, status)),
            Rules::Place(place) if is_success => {
                let is_result = exchange.parameter("monitor").is_some();
                found.extend(self.contract.success(*place, status, is_result, body));
            }
            // Requests of other clients that have no definition, such as those for tenants, are not judged.
            Rules::None if is_success => {}
            Rules::Operation(operation) => {
                found.extend(self.contract.failure(operation.error.as_ref(), status, body));
            }
            // The Logs query API has errors of its own ("Azure Monitor Log Analytics API errors").
            Rules::Place(Place::Logs) => {}
            Rules::Place(_) | Rules::None => found.extend(self.contract.failure(None, status, body)),
        }
        found
    }
}

fn request(rules: &Rules<'_>, exchange: &Exchange, issued: &HashSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    if exchange.object_id.is_none() {
        found.push("no bearer token, which every operation asks for".to_owned());
    }
    let is_issued = issued.contains(&exchange.url());
    match rules {
        Rules::Operation(operation) => {
            found.extend(query(operation, exchange, is_issued));
            found.extend(body(operation, exchange));
        }
        Rules::Place(place) => {
            // App settings are read by a POST, because they are secrets.
            let is_of_settings = exchange.path.to_ascii_lowercase().ends_with("/config/appsettings/list");
            let is_allowed = match (place, exchange.method.as_str()) {
                (Place::Group, "PUT") => exchange.request_body["location"].is_string(),
                (Place::Logs, "POST") => exchange.request_body["query"].is_string(),
                (Place::Group, "DELETE") => exchange.request_body.is_null(),
                (Place::Logs, _) => false,
                (_, method) => {
                    method == if is_of_settings { "POST" } else { "GET" } && exchange.request_body.is_null()
                }
            };
            if !is_allowed {
                found.push(format!("a {} with this body is not allowed here", exchange.method));
            }
            let is_first = match place {
                Place::Subscriptions => exchange.query == format!("api-version={SUBSCRIPTIONS_VERSION}"),
                Place::Descendants => exchange.query == format!("api-version={DESCENDANTS_VERSION}"),
                Place::Deployment | Place::Group | Place::Logs => exchange.parameter("api-version").is_some(),
                // "Activity Logs - List" demands the start of the time.
                Place::Activity => {
                    exchange.parameter("api-version").is_some()
                        && exchange
                            .parameter("$filter")
                            .is_some_and(|filter| filter.starts_with("eventTimestamp ge '"))
                }
                Place::Machine => is_of_machines(exchange),
                Place::Poll => false,
            };
            if !is_issued && !is_first {
                found.push("the URL is not byte for byte one that an answer gave out".to_owned());
            }
        }
        Rules::None => found.push("no definition knows this operation".to_owned()),
    }
    found
}

/// A version, and optionally the only filter that Azure supports.
fn is_of_machines(exchange: &Exchange) -> bool {
    let filter = exchange.parameter("$filter");
    let is_known = |filter: String| filter.starts_with("'virtualMachineScaleSet/id' eq '/subscriptions/");
    let names = form_urlencoded::parse(exchange.query.as_bytes());
    exchange.parameter("api-version").is_some_and(|version| version == MACHINES_VERSION)
        && filter.is_none_or(is_known)
        && names.into_iter().all(|(name, _)| ["api-version", "$filter"].contains(&&*name))
}

fn query(operation: &Operation, exchange: &Exchange, is_issued: bool) -> Vec<String> {
    let mut found = Vec::new();
    for parameter in operation.query.iter().filter(|parameter| parameter.is_required) {
        if exchange.parameter(&parameter.name).is_none_or(|value| value.is_empty()) {
            found.push(format!("the query has no {}", parameter.name));
        }
    }
    for (name, value) in form_urlencoded::parse(exchange.query.as_bytes()) {
        if name == "api-version" && value != operation.version {
            found.push(format!("api-version {value}, but the definition is of {}", operation.version));
        }
        let is_known = operation.query.iter().any(|parameter| parameter.name == name);
        // The query of a link to the next page is opaque.
        if !(is_known || operation.is_pageable && is_issued) {
            found.push(format!("the query has a parameter {name} that {} does not know", operation.id));
        }
    }
    found
}

fn body(operation: &Operation, exchange: &Exchange) -> Vec<String> {
    let given = &exchange.request_body;
    let Some(wanted) = &operation.body else {
        return if given.is_null() { Vec::new() } else { vec![format!("{} takes no body", operation.id)] };
    };
    if given.is_null() {
        let fault = format!("{} needs a body", operation.id);
        return if wanted.is_required { vec![fault] } else { Vec::new() };
    }
    let mut found = faults(&wanted.validator, given);
    let content_type = exchange.content_type.as_deref();
    if !is_one_of(&operation.consumes, content_type) {
        found.push(format!("content type {content_type:?} is not one of {:?}", operation.consumes));
    }
    found
}

fn success(operation: &Operation, exchange: &Exchange, status: u16) -> Vec<String> {
    let body = &exchange.response_body;
    let Some(declared) = operation.answers.get(&status) else {
        return vec![format!("{} declares no such status", operation.id)];
    };
    let mut found = match &declared.validator {
        Some(validator) => faults(validator, body),
        None if body.is_null() => Vec::new(),
        None => vec![format!("{} declares no body for it", operation.id)],
    };
    for name in &declared.headers {
        if exchange.response_header(name).is_none() {
            found.push(format!("no header {name}, which {} declares", operation.id));
        }
    }
    let names_an_operation =
        ["azure-asyncoperation", "location"].iter().any(|name| exchange.response_header(name).is_some());
    if status == 202 && operation.is_long_running && !names_an_operation {
        found.push("no header has the URL of the operation".to_owned());
    }
    let content_type = exchange.response_header("content-type");
    if !body.is_null() && !is_one_of(&operation.produces, content_type) {
        found.push(format!("content type {content_type:?} is not one of {:?}", operation.produces));
    }
    found
}

/// Rules for every response of Resource Manager.
fn headers(exchange: &Exchange, status: u16) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(wait) = exchange.response_header("retry-after")
        && wait.parse::<u32>().is_err()
    {
        found.push(format!("retry-after {wait:?} is not a whole number of seconds"));
    }
    if status == 401 && exchange.response_header("www-authenticate").is_none() {
        found.push("a 401 without www-authenticate".to_owned());
    }
    for name in ["azure-asyncoperation", "location"] {
        let is_ours = |url: &str| url.starts_with(&exchange.origin);
        if exchange.response_header(name).is_some_and(|url| !is_ours(url)) {
            found.push(format!("{name} leads to another host"));
        }
    }
    if matches!(exchange.response_body, Value::String(_)) {
        found.push("a body that is not JSON".to_owned());
    }
    found
}

/// Whether a content type is one of those, without its parameters.
fn is_one_of(known: &[String], given: Option<&str>) -> bool {
    let essence = given.and_then(|given| given.split(';').next()).unwrap_or_default().trim();
    known.iter().any(|known| known.eq_ignore_ascii_case(essence))
}
