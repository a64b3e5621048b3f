//! The routes of the control surface.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Surface,
    fault::{self, Ordered},
    guard, record,
};
use crate::{
    GraphTable,
    event_grid::{Disturbance, EventGrid},
    fault::Injected,
    host::{FunctionApp, FunctionGroup, HostError},
};

/// Indented JSON.
struct Shown(Value);

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], format!("{:#}\n", self.0)).into_response()
    }
}

/// A request that cannot be served, with the reason.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

type Answer = Result<Shown, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Shown(json!({"error": self.1}))).into_response()
    }
}

const INDEX: [&str; 22] = [
    "GET /resources",
    "GET /journal?resource=NAME_OR_ID&last=N",
    "GET /invocations?function=NAME",
    "GET /console",
    "GET /spans?trace=ID",
    "GET /logs?trace=ID",
    "GET /metrics?name=NAME",
    "GET /deliveries",
    "GET /dead-letters",
    "GET /queue",
    "GET /faults",
    "POST /faults",
    "POST /faults/{id}/release",
    "POST /faults/{id}/cut-off",
    "DELETE /faults/{id}",
    "DELETE /faults",
    "POST /rows/{table}",
    "POST /publish",
    "POST /events/{resource}",
    "POST /kill?group=GROUP",
    "POST /timer/{function}",
    "GET /",
];

pub(super) fn router(surface: Surface) -> Router {
    let routes = Router::new()
        .route("/", get(|| async { Shown(json!({"requests": INDEX})) }))
        .route("/resources", get(resources))
        .route("/journal", get(journal))
        .route("/invocations", get(invocations))
        .route("/console", get(console))
        .route("/spans", get(spans))
        .route("/logs", get(logs))
        .route("/metrics", get(metrics))
        .route("/deliveries", get(deliveries))
        .route("/dead-letters", get(dead_letters))
        .route("/queue", get(queue))
        .route("/faults", get(faults).post(inject).delete(clear))
        .route("/faults/{id}", axum::routing::delete(remove))
        .route("/faults/{id}/release", post(release))
        .route("/faults/{id}/cut-off", post(cut_off))
        .route("/rows/{table}", post(add_row))
        .route("/publish", post(publish))
        .route("/events/{resource}", post(disturb))
        .route("/kill", post(kill))
        .route("/timer/{function}", post(timer))
        .fallback(|uri: Uri| async move {
            Refused(
                StatusCode::NOT_FOUND,
                format!("{} does not exist; GET / lists all endpoints", uri.path()),
            )
        })
        .method_not_allowed_fallback(|| async {
            Refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed; GET / lists all endpoints".to_owned(),
            )
        })
        .with_state(Arc::new(surface));
    guard::around(routes)
}

impl Surface {
    fn host(&self) -> Result<Arc<FunctionApp>, Refused> {
        self.platform.as_ref().and_then(|platform| platform.host.upgrade()).ok_or_else(no_handler)
    }

    fn event_grid(&self) -> Result<Arc<EventGrid>, Refused> {
        self.platform.as_ref().and_then(|platform| platform.event_grid.upgrade()).ok_or_else(no_handler)
    }
}

fn no_handler() -> Refused {
    Refused(StatusCode::CONFLICT, "this Azure has no handler, only Resource Manager".to_owned())
}

async fn resources(State(surface): State<Arc<Surface>>) -> Shown {
    Shown(surface.emulator.resources().into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalQuery {
    resource: Option<String>,
    last: Option<usize>,
}

/// A query, whose errors are reported like all others.
type Wanted<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

fn wanted<T>(query: Wanted<T>) -> Result<T, Refused> {
    query.map(|Query(query)| query).map_err(|fault| Refused(StatusCode::BAD_REQUEST, fault.body_text()))
}

async fn journal(State(surface): State<Arc<Surface>>, query: Wanted<JournalQuery>) -> Answer {
    let query = wanted(query)?;
    let mut exchanges = match query.resource {
        Some(id) if id.starts_with('/') => surface.emulator.requests_for(&id),
        Some(name) => {
            let about = |path: &str| path.split('/').any(|segment| segment.eq_ignore_ascii_case(&name));
            surface.emulator.journal().into_iter().filter(|exchange| about(&exchange.path)).collect()
        }
        None => surface.emulator.journal(),
    };
    if let Some(last) = query.last {
        exchanges.drain(..exchanges.len().saturating_sub(last));
    }
    Ok(Shown(exchanges.iter().map(|exchange| record::exchange(exchange)).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InvocationsQuery {
    function: Option<String>,
}

async fn invocations(State(surface): State<Arc<Surface>>, query: Wanted<InvocationsQuery>) -> Answer {
    let query = wanted(query)?;
    let mut invocations = surface.host()?.invocations();
    invocations.retain(|one| query.function.as_ref().is_none_or(|name| *name == one.function));
    Ok(Shown(invocations.iter().map(record::invocation).collect()))
}

async fn console(State(surface): State<Arc<Surface>>) -> Answer {
    Ok(Shown(surface.host()?.console().iter().map(record::console_line).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TraceQuery {
    trace: Option<String>,
}

async fn spans(State(surface): State<Arc<Surface>>, query: Wanted<TraceQuery>) -> Answer {
    let query = wanted(query)?;
    let mut spans = surface.collector.spans();
    spans.retain(|span| query.trace.as_ref().is_none_or(|id| span.trace_id.eq_ignore_ascii_case(id)));
    Ok(Shown(spans.iter().map(record::span).collect()))
}

async fn logs(State(surface): State<Arc<Surface>>, query: Wanted<TraceQuery>) -> Answer {
    let query = wanted(query)?;
    let mut records = surface.collector.logs();
    records.retain(|record| query.trace.as_ref().is_none_or(|id| record.trace_id.eq_ignore_ascii_case(id)));
    Ok(Shown(records.iter().map(record::log).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsQuery {
    name: Option<String>,
}

async fn metrics(State(surface): State<Arc<Surface>>, query: Wanted<MetricsQuery>) -> Answer {
    let query = wanted(query)?;
    let mut points = surface.collector.metrics();
    points.retain(|point| query.name.as_ref().is_none_or(|name| point.name == *name));
    Ok(Shown(points.iter().map(record::metric_point).collect()))
}

async fn deliveries(State(surface): State<Arc<Surface>>) -> Answer {
    let event_grid = surface.event_grid()?;
    let attempts: Value = event_grid.deliveries().iter().map(record::delivery).collect();
    Ok(Shown(json!({"stats": record::stats(event_grid.stats()), "attempts": attempts})))
}

async fn dead_letters(State(surface): State<Arc<Surface>>) -> Answer {
    Ok(Shown(surface.event_grid()?.dead_letters().into()))
}

async fn queue(State(surface): State<Arc<Surface>>) -> Answer {
    let host = surface.host()?;
    let queues = host.queues();
    let messages = |name: &String| queues.queue(name).messages().iter().map(record::message).collect();
    let queues: serde_json::Map<String, Value> =
        queues.names().iter().map(|name| (name.clone(), messages(name))).collect();
    Ok(Shown(queues.into()))
}

async fn faults(State(surface): State<Arc<Surface>>) -> Shown {
    Shown(surface.faults.lock().iter().map(Ordered::describe).collect())
}

async fn inject(State(surface): State<Arc<Surface>>, body: Bytes) -> Result<(StatusCode, Shown), Refused> {
    let (fault, order) = fault::read(&body).map_err(|fault| Refused(StatusCode::BAD_REQUEST, fault))?;
    let mut faults = surface.faults.lock();
    let id = faults.last().map_or(1, |last| last.id + 1);
    let ordered = Ordered { id, order, injected: surface.emulator.inject(fault) };
    let described = ordered.describe();
    faults.push(ordered);
    Ok((StatusCode::CREATED, Shown(described)))
}

async fn clear(State(surface): State<Arc<Surface>>) -> StatusCode {
    surface.emulator.clear_faults();
    surface.faults.lock().clear();
    StatusCode::NO_CONTENT
}

async fn remove(State(surface): State<Arc<Surface>>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    let injected = surface.injected(&id)?;
    injected.remove();
    surface.faults.lock().retain(|ordered| ordered.id.to_string() != id);
    Ok(StatusCode::NO_CONTENT)
}

async fn release(State(surface): State<Arc<Surface>>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    surface.injected(&id)?.release();
    Ok(StatusCode::NO_CONTENT)
}

async fn cut_off(State(surface): State<Arc<Surface>>, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    surface.injected(&id)?.cut_off();
    Ok(StatusCode::NO_CONTENT)
}

impl Surface {
    fn injected(&self, id: &str) -> Result<Injected, Refused> {
        let faults = self.faults.lock();
        let found = faults.iter().find(|ordered| ordered.id.to_string() == id);
        found
            .map(|ordered| ordered.injected.clone())
            .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("the fault {id:?} does not exist")))
    }
}

/// Adds a row to a table of Resource Graph, as it is.
async fn add_row(
    State(surface): State<Arc<Surface>>,
    Path(table): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let table = match table.as_str() {
        "resources" => GraphTable::Resources,
        "recoveryservicesresources" => GraphTable::RecoveryServices,
        _ => return Err(Refused(StatusCode::NOT_FOUND, format!("the table {table:?} takes no rows"))),
    };
    let row = serde_json::from_slice(&body)
        .map_err(|fault| Refused(StatusCode::BAD_REQUEST, format!("the body is no row: {fault}")))?;
    surface.emulator.add_row(table, row);
    Ok(StatusCode::CREATED)
}

async fn publish(State(surface): State<Arc<Surface>>, body: Bytes) -> Result<(StatusCode, Shown), Refused> {
    let event_grid = surface.event_grid()?;
    let events = match serde_json::from_slice(&body) {
        Ok(Value::Array(events)) => events,
        Ok(event) => vec![event],
        Err(fault) => {
            return Err(Refused(StatusCode::BAD_REQUEST, format!("the body is not JSON: {fault}")));
        }
    };
    let count = events.len();
    event_grid.publish(events);
    Ok((StatusCode::ACCEPTED, Shown(json!({"published": count}))))
}

/// What happens to the events of a resource.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Disturbed {
    #[serde(default)]
    lost: bool,
    #[serde(default)]
    late_seconds: u64,
}

async fn disturb(
    State(surface): State<Arc<Surface>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let fault = |fault| Refused(StatusCode::BAD_REQUEST, format!("the body is no disturbance: {fault}"));
    let Disturbed { lost, late_seconds } = serde_json::from_slice(&body).map_err(fault)?;
    let late = Disturbance::Late(std::time::Duration::from_secs(late_seconds));
    surface.event_grid()?.disturb(&name, if lost { Disturbance::Lost } else { late });
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KillQuery {
    group: Option<String>,
}

async fn kill(State(surface): State<Arc<Surface>>, query: Wanted<KillQuery>) -> Answer {
    let app = surface.host()?;
    let name = wanted(query)?.group.unwrap_or_else(|| FunctionGroup::Http.to_string());
    let groups = app.groups();
    let Some(group) = groups.iter().find(|group| group.to_string() == name) else {
        let known = groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let fault = format!("the group {name:?} does not exist; known groups: {known}");
        return Err(Refused(StatusCode::NOT_FOUND, fault));
    };
    let host = app.instances(group).into_iter().next();
    let Some((host, pid)) = host.and_then(|host| Some((Arc::clone(&host), host.pid()?))) else {
        return Err(Refused(StatusCode::CONFLICT, format!("the handler of {group} is not running")));
    };
    host.kill().await;
    let exit = host.wait_exit(pid).await;
    Ok(Shown(record::exit(&exit)))
}

async fn timer(State(surface): State<Arc<Surface>>, Path(function): Path<String>) -> Answer {
    let host = surface.host()?;
    match host.fire_timer(&function).await {
        Ok(invocation) => Ok(Shown(record::invocation(&invocation))),
        Err(HostError::NoFunction(_)) => {
            let known = host.functions().join(", ");
            Err(Refused(
                StatusCode::NOT_FOUND,
                format!("the function {function:?} does not exist; known functions: {known}"),
            ))
        }
        Err(fault) => Err(Refused(StatusCode::CONFLICT, fault.to_string())),
    }
}
