//! Checks of the system topic and the event subscriptions: whether Event Grid delivers writes to the function.
//!
//! Sources: "System Topics - List By Subscription", "Event Subscriptions - List Global By Subscription", "System
//! Topic Event Subscriptions - List By System Topic", "Understand event filtering for Event Grid subscriptions".

use serde_json::Value;

use super::Finding;
use crate::{
    enforce::{Grants, MachineEvents},
    event::{GRANTS, OPERATIONS, RESOURCE_ACTION_SUCCESS, RESOURCE_WRITE_SUCCESS},
    function::Function,
    resource_id::is_same,
};

const CHECK: &str = "Event Grid";
const TOPIC_TYPE: &str = "Microsoft.Resources.Subscriptions";
/// The function that handles events.
const FUNCTION: &str = Function::SealOnWrite.name();

/// The claim that names the application of whoever wrote. The object ID cannot be filtered: its key has periods.
const APP_ID: &str = "data.claims.appid";

/// What an event subscription should deliver, and where.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    /// The app that should receive the events, if it is given.
    pub(super) function_app: Option<&'a str>,
    /// The client ID of the handler's identity, if it is known.
    pub(super) client_id: Option<&'a str>,
    /// Whether writes of machines must be delivered.
    pub(super) machine_events: MachineEvents,
    /// Whether grants of access must be delivered.
    pub(super) grants: Grants,
}

/// The operations that must be delivered under these settings.
fn operations_of(machine_events: MachineEvents, grants: Grants) -> Vec<&'static str> {
    let writes = match machine_events {
        MachineEvents::On => &OPERATIONS[..],
        MachineEvents::Off => OPERATIONS.split_at(2).0,
    };
    let grants = if grants == Grants::On { &GRANTS[..] } else { &[] };
    [writes, grants].concat()
}

/// A container of events that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeadLetters {
    pub(super) storage_account: String,
    pub(super) container: String,
}

/// The findings about an event subscription, and where it delivers to.
#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) findings: Vec<Finding>,
    /// The function app that it delivers to.
    pub(super) function_app: Option<String>,
    pub(super) dead_letters: Option<DeadLetters>,
}

/// The ID of the subscription's system topic, out of all its topics.
pub(super) fn topic_of<'a>(subscription_id: &str, topics: &'a [Value]) -> Option<&'a str> {
    let source = format!("/subscriptions/{subscription_id}");
    let topic = topics.iter().find(|topic| {
        let is = |member: &str, wanted: &str| {
            text(&topic["properties"][member]).trim_end_matches('/').eq_ignore_ascii_case(wanted)
        };
        is("source", &source) && is("topicType", TOPIC_TYPE)
    })?;
    topic["id"].as_str()
}

/// The event subscriptions that are on the subscription itself: not on a part of it, and not on a system topic.
pub(super) fn own(subscription_id: &str, all: Vec<Value>) -> Vec<Value> {
    let scope = format!("/subscriptions/{subscription_id}");
    let is_own = |one: &Value| {
        let is_of_topic = text(&one["id"]).to_ascii_lowercase().contains("/systemtopics/");
        let topic = text(&one["properties"]["topic"]).trim_end_matches('/');
        topic.eq_ignore_ascii_case(&scope) && !is_of_topic
    };
    all.into_iter().filter(is_own).collect()
}

/// Checks the event subscriptions of the system topic and the subscription's own. `of_topic` is none if there is no
/// system topic or it could not be read, `own` if they could not be read.
pub(super) fn routes(
    subscription_id: &str,
    expected: Expected<'_>,
    of_topic: Option<&[Value]>,
    own: Option<&[Value]>,
) -> Vec<Route> {
    let own = own.unwrap_or_default();
    if of_topic.is_none() && own.is_empty() {
        return vec![Route { findings: vec![no_topic(subscription_id)], ..Route::default() }];
    }
    let of_topic = of_topic.unwrap_or_default();
    let route = |subscriptions: &[Value]| route(subscription_id, expected, subscriptions);
    let is_there = |routes: &[Route]| routes.iter().any(|route| route.function_app.is_some());
    let (by_topic, mut by_own) = (route(of_topic), route(own));
    match (is_there(&by_topic), is_there(&by_own)) {
        (true, false) => by_topic,
        (false, true) => by_own,
        (true, true) => {
            let text = "its system topic and an event subscription of its own both deliver: each write is handled twice";
            let finding = Finding::warning(CHECK, subscription_id, text, "delete one of the two");
            by_own.push(Route { findings: vec![finding], ..Route::default() });
            by_topic.into_iter().chain(by_own).collect()
        }
        (false, false) => route(&[of_topic, own].concat()),
    }
}

fn no_topic(subscription_id: &str) -> Finding {
    Finding::failed(
        CHECK,
        subscription_id,
        "no system topic for this subscription, and no event subscription of its own: new disks raise no event",
        format!(
            "az eventgrid system-topic create -g GROUP -n NAME --location global --topic-type {TOPIC_TYPE} --source \
             /subscriptions/{subscription_id}, then an event subscription to the function {FUNCTION}"
        ),
    )
}

/// Checks some event subscriptions.
fn route(subscription_id: &str, expected: Expected<'_>, subscriptions: &[Value]) -> Vec<Route> {
    let Expected { function_app, .. } = expected;
    let ours = |subscription: &&Value| {
        let app = app_of(subscription);
        app.is_some_and(|app| function_app.is_none_or(|wanted| is_same(wanted, app)))
    };
    let routes: Vec<Route> =
        subscriptions.iter().filter(ours).map(|one| examine(subscription_id, expected, one)).collect();
    if !routes.is_empty() {
        return routes;
    }
    let elsewhere = subscriptions.iter().find_map(app_of);
    let found = match (function_app, elsewhere) {
        (Some(wanted), Some(other)) => format!("{wanted}, but one to {other}"),
        _ => format!("a function {FUNCTION}"),
    };
    let text = format!("no event subscription delivers to {found}");
    let remedy = format!(
        "az eventgrid system-topic event-subscription create with --endpoint-type azurefunction and --endpoint \
         FUNCTION_APP_ID/functions/{FUNCTION}; the function must be deployed first"
    );
    vec![Route { findings: vec![Finding::failed(CHECK, subscription_id, text, remedy)], ..Route::default() }]
}

/// The app that these events are delivered to, if its function is ours.
fn app_of(subscription: &Value) -> Option<&str> {
    let destination = destination(&subscription["properties"], "deliveryWithResourceIdentity", "destination");
    if !text(&destination["endpointType"]).eq_ignore_ascii_case("AzureFunction") {
        return None;
    }
    let (app, function) = text(&destination["properties"]["resourceId"]).rsplit_once("/functions/")?;
    function.eq_ignore_ascii_case(FUNCTION).then_some(app)
}

/// A destination, with a managed identity for the delivery or without.
fn destination<'a>(properties: &'a Value, with_identity: &str, name: &str) -> &'a Value {
    match &properties[with_identity][name] {
        Value::Null => &properties[name],
        destination => destination,
    }
}

/// The findings about one event subscription.
struct Findings {
    about: String,
    all: Vec<Finding>,
}

impl Findings {
    /// Something that works, and could be better.
    fn hint(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.all.push(Finding { remedy: Some(remedy.into()), ..Finding::ok(CHECK, &self.about, text) });
    }

    fn warn(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.all.push(Finding::warning(CHECK, &self.about, text, remedy));
    }

    fn fail(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.all.push(Finding::failed(CHECK, &self.about, text, remedy));
    }
}

fn examine(subscription_id: &str, expected: Expected<'_>, subscription: &Value) -> Route {
    let properties = &subscription["properties"];
    let about = format!("{subscription_id} {}", text(&subscription["name"]));
    let mut findings = Findings { about, all: vec![] };
    let state = text(&properties["provisioningState"]);
    if !(state.is_empty() || state.eq_ignore_ascii_case("Succeeded")) {
        let remedy = "re-create it: it delivers nothing in this state";
        findings.fail(format!("its provisioning state is {state}"), remedy);
    }
    check_types(&mut findings, &properties["filter"]["includedEventTypes"], expected.grants);
    check_filters(
        &mut findings,
        &properties["filter"],
        &operations_of(expected.machine_events, expected.grants),
    );
    check_own_writes(&mut findings, &properties["filter"], expected.client_id);
    let schema = text(&properties["eventDeliverySchema"]);
    if schema.eq_ignore_ascii_case("CustomInputSchema") {
        let remedy = "re-create it with the delivery schema EventGridSchema or CloudEventSchemaV1_0";
        findings.fail(format!("delivers in {schema}, which Diskseal does not support"), remedy);
    }
    if let Some(expiry) = properties["expirationTimeUtc"].as_str() {
        let remedy = "remove the expiry, or extend it in time";
        findings.warn(format!("expires at {expiry} and delivers nothing afterwards"), remedy);
    }
    let dead_letters = dead_letters(properties);
    if dead_letters.is_none() {
        findings.warn(
            "has no dead-letter container: an event that cannot be delivered for a day is lost",
            "set deadLetterDestination to a container of the function app's storage account",
        );
    }
    let Findings { about, all: mut findings } = findings;
    let function_app = app_of(subscription).map(str::to_owned);
    if findings.iter().all(|finding| finding.verdict < super::Verdict::Failed) {
        let app = function_app.as_deref().and_then(|app| app.rsplit('/').next()).unwrap_or_default();
        let what = match expected.machine_events {
            MachineEvents::On => "disks, snapshots and machines",
            MachineEvents::Off => "disks and snapshots",
        };
        let grants = if expected.grants == Grants::On { ", and grants of access," } else { "" };
        let text = format!("writes of {what}{grants} go to {FUNCTION} of {app}");
        findings.insert(0, Finding::ok(CHECK, about, text));
    }
    Route { findings, function_app, dead_letters }
}

fn check_types(findings: &mut Findings, types: &Value, grants: Grants) {
    let Some(types) = types.as_array() else { return };
    let of_grants =
        (grants == Grants::On).then_some((RESOURCE_ACTION_SUCCESS, ", or set DISKSEAL_GRANTS=off"));
    for (wanted, or) in [(RESOURCE_WRITE_SUCCESS, "")].into_iter().chain(of_grants) {
        let is_there = types.iter().any(|one| text(one).eq_ignore_ascii_case(wanted));
        // No types means all types.
        if !is_there && !types.is_empty() {
            let remedy = format!("add {wanted} to includedEventTypes{or}");
            findings.fail(format!("does not deliver {wanted}"), remedy);
        }
    }
}

fn check_filters(findings: &mut Findings, filter: &Value, operations: &[&str]) {
    for member in ["subjectBeginsWith", "subjectEndsWith"] {
        let value = text(&filter[member]);
        if !value.is_empty() {
            let remedy = "make sure that every disk and snapshot in scope passes, or remove the filter";
            findings.warn(format!("{member} passes only some resources: {value}"), remedy);
        }
    }
    let wanted = format!("StringIn data.operationName {}", operations.join(" "));
    let filters: Vec<&Value> = filter["advancedFilters"].as_array().into_iter().flatten().collect();
    for one in &filters {
        let key = text(&one["key"]);
        let excluded: Vec<&str> =
            operations.iter().copied().filter(|operation| passes(one, operation) == Some(false)).collect();
        if !excluded.is_empty() {
            let are_all_of = |known: &[&str]| excluded.iter().all(|operation| known.contains(operation));
            let or = if are_all_of(OPERATIONS.split_at(2).1) {
                ", or set DISKSEAL_MACHINE_EVENTS=off"
            } else if are_all_of(&GRANTS) {
                ", or set DISKSEAL_GRANTS=off"
            } else {
                ""
            };
            let text = format!("its filter on {key} excludes {}", excluded.join(", "));
            findings.fail(text, format!("set it to {wanted}{or}"));
        }
        if operations.iter().any(|operation| passes(one, operation).is_none()) {
            let text = format!("its filter on {key} cannot be evaluated here");
            findings.warn(text, "make sure that writes of disks pass it");
        }
    }
    if !filters.iter().any(|one| text(&one["key"]).eq_ignore_ascii_case("data.operationName")) {
        let effect = "every write in the subscription is delivered and billed";
        findings.warn(format!("has no filter on data.operationName: {effect}"), format!("add {wanted}"));
    }
}

/// Checks the filter that drops the handler's own writes: each would be delivered, invoke the function and be billed,
/// only to be ignored. Dropping somebody else's writes would leave what they make to the sweep.
fn check_own_writes(findings: &mut Findings, filter: &Value, client_id: Option<&str>) {
    let wanted = |id: &str| format!("set it to StringNotIn {APP_ID} {id}");
    let is_of_apps = |one: &&Value| {
        text(&one["key"]).eq_ignore_ascii_case(APP_ID)
            && text(&one["operatorType"]).eq_ignore_ascii_case("StringNotIn")
    };
    let filters = filter["advancedFilters"].as_array().into_iter().flatten();
    let dropped: Vec<&str> = filters
        .filter(is_of_apps)
        .flat_map(|one| one["values"].as_array().into_iter().flatten())
        .map(text)
        .collect();
    let is_own = |id: &str| client_id.is_some_and(|own| own.eq_ignore_ascii_case(id));
    let others: Vec<&str> = dropped.iter().copied().filter(|id| !is_own(id)).collect();
    match client_id {
        _ if dropped.is_empty() => {
            let text = "delivers the handler's own writes too, of which each is billed and then ignored";
            findings.hint(text, format!("add StringNotIn {APP_ID} {}", client_id.unwrap_or("CLIENT_ID")));
        }
        None => {
            let text = format!(
                "its filter on {APP_ID} drops the writes of {}, and whether that is the handler's identity is unknown",
                others.join(", ")
            );
            findings.warn(text, "compare it with the client ID of the app's identity");
        }
        Some(id) if !others.is_empty() => {
            let text = format!(
                "its filter on {APP_ID} drops the writes of {}, which is not the handler's identity: disks that it \
                 makes are left to the sweep",
                others.join(", ")
            );
            findings.warn(text, wanted(id));
        }
        Some(_) => {}
    }
}

/// Whether the event of an operation passes a filter; none if that is unknown.
fn passes(filter: &Value, operation: &str) -> Option<bool> {
    let values: Vec<String> =
        filter["values"].as_array()?.iter().map(|value| text(value).to_ascii_lowercase()).collect();
    let operator = text(&filter["operatorType"]).to_ascii_lowercase();
    let key = text(&filter["key"]).to_ascii_lowercase();
    let value = match key.as_str() {
        "data.operationname" => operation.to_ascii_lowercase(),
        "data.status" => "succeeded".to_owned(),
        "data.resourceprovider" => "microsoft.compute".to_owned(),
        "eventtype" | "type" if GRANTS.contains(&operation) => RESOURCE_ACTION_SUCCESS.to_ascii_lowercase(),
        "eventtype" | "type" => RESOURCE_WRITE_SUCCESS.to_ascii_lowercase(),
        // Whose writes it drops is another question: `check_own_writes`.
        APP_ID if operator == "stringnotin" => return Some(true),
        _ => return None,
    };
    let test = operator.strip_prefix("string")?;
    let (test, is_wanted) = test.strip_prefix("not").map_or((test, true), |test| (test, false));
    let any = |test: fn(&str, &str) -> bool| values.iter().any(|wanted| test(&value, wanted));
    let is_any = match test {
        "in" => any(|value, wanted| value == wanted),
        "contains" => any(|value, wanted| value.contains(wanted)),
        "beginswith" => any(|value, wanted| value.starts_with(wanted)),
        "endswith" => any(|value, wanted| value.ends_with(wanted)),
        _ => return None,
    };
    Some(is_any == is_wanted)
}

fn dead_letters(properties: &Value) -> Option<DeadLetters> {
    let destination = destination(properties, "deadLetterWithResourceIdentity", "deadLetterDestination");
    let member = |name: &str| destination["properties"][name].as_str().map(str::to_owned);
    Some(DeadLetters { storage_account: member("resourceId")?, container: member("blobContainerName")? })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
