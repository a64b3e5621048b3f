//! Resource Manager: from a request to a response, over any transport.

use std::{sync::atomic::Ordering, time::Duration};

use axum::http::{HeaderValue, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    Emulator,
    answer::{Answer, Delivery},
    clock::{compact, http_date},
    context::Context,
    fault::{Action, Fired, Kind, NextPage, Refusal, Release},
    graph, identity,
    journal::{Exchange, ODD},
    request::Request,
    route::Route,
    token::{authenticate, claimed_caller},
};

mod activity;
mod authorization;
pub(crate) mod blobs;
pub(crate) mod deployment;
mod directory;
mod disks;
mod facts;
mod groups;
mod lists;
mod machines;
mod operations;
mod peek;
mod sites;
mod tags;
mod versions;
mod workspace;

pub(crate) use facts::Facts;
pub(crate) use groups::Group;
pub(crate) use sites::Site;
pub(crate) use workspace::Workspace;

/// The endpoint that received a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    ResourceManager,
    Identity,
}

impl Face {
    /// For transports on which both share a host.
    pub(crate) fn by_path(path: &str) -> Self {
        if identity::owns(path) { Self::Identity } else { Self::ResourceManager }
    }
}

impl Emulator {
    /// Handles a request to its end even if the client disconnects: a server does not stop because its client
    /// has died.
    pub(crate) async fn deliver(&self, face: Face, request: Request) -> Delivery {
        let emulator = self.clone();
        let task = tokio::spawn(async move { emulator.handle(face, request).await });
        task.await.unwrap_or(Delivery::Reset)
    }

    async fn handle(self, face: Face, request: Request) -> Delivery {
        let received = self.inner.clock.now();
        // A separate authority would need a third address; its paths do not overlap with Resource Manager's.
        let face = if identity::owns(&request.path) { Face::Identity } else { face };
        self.settle();
        let route = match face {
            Face::ResourceManager => Route::of(&request.path),
            Face::Identity => Route::Unknown,
        };
        let kind = match face {
            Face::ResourceManager => {
                blobs::kind(&request).unwrap_or_else(|| Kind::of(&request.method, &route))
            }
            Face::Identity => Kind::Token,
        };
        let fired = self.inner.faults.meet(kind, &request.method, &route, || {
            route.resource().is_some_and(|id| self.inner.state.lock().resources.contains_key(&id.key()))
        });
        let correlation_id = request
            .header("x-ms-correlation-request-id")
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        let mut context = Context {
            caller: claimed_caller(request.bearer().unwrap_or_default()),
            route,
            correlation_id,
            api_version: String::new(),
            course: None,
            stale: false,
            remaining: crate::throttle::Remaining::default(),
            request,
        };
        let delivery = self.answer_through(face, &mut context, fired.as_ref()).await;
        if !self.inner.options.latency.is_zero() {
            // Emulates the latency of Azure.
            sleep(self.inner.options.latency).await;
        }
        let mut delivery = delivery;
        if let (Delivery::Whole(answer), true) = (&mut delivery, fired.as_ref().is_some_and(Fired::is_marked))
        {
            answer.body.splice(..0, "\u{feff}".bytes());
        }
        if let Delivery::Whole(answer) | Delivery::Half(answer) | Delivery::Endless(answer) = &mut delivery {
            self.dress(face, &context, answer);
        }
        self.record(kind, &context, &delivery, fired.as_ref(), received);
        delivery
    }

    /// The response, as altered by the fault.
    async fn answer_through(&self, face: Face, context: &mut Context, fired: Option<&Fired>) -> Delivery {
        let Some(fired) = fired else { return Delivery::Whole(self.answer(face, context)) };
        let is_late = matches!(fired.action(), Action::Late);
        if fired.delay() > Duration::ZERO && !is_late {
            sleep(fired.delay()).await;
            self.settle();
        }
        match fired.action() {
            Action::Refuse(refusal) => return Delivery::Whole(context.refuse(refusal)),
            Action::NotYetVisible => return Delivery::Whole(context.refuse(&Refusal::resource_not_found())),
            Action::Text { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::OK);
                return Delivery::Whole(Answer::text(status, content_type, body.as_str()));
            }
            Action::Reset => return Delivery::Reset,
            Action::HoldBefore => {
                if fired.released().await == Release::CutOff {
                    return Delivery::Reset;
                }
                self.settle();
            }
            Action::StaleRead => context.stale = true,
            Action::Operation(course) => context.course = Some(course.clone()),
            Action::RefuseAfterApplying(_)
            | Action::ResetAfterApplying
            | Action::Half
            | Action::Padded(_)
            | Action::Endless
            | Action::Delay
            | Action::ByteOrderMark
            | Action::NextPage(_)
            | Action::Late
            | Action::HoldAfter => {}
        }
        let answer = self.answer(face, context);
        if is_late {
            sleep(fired.delay()).await;
        }
        match fired.action() {
            Action::RefuseAfterApplying(refusal) => Delivery::Whole(context.refuse(refusal)),
            Action::ResetAfterApplying => Delivery::Reset,
            Action::Half => Delivery::Half(answer),
            Action::Endless => Delivery::Endless(answer),
            Action::Padded(bytes) => {
                let mut answer = answer;
                // White space after a JSON text is no part of it (RFC 8259, section 2).
                answer.body.resize((*bytes).max(answer.body.len()), b' ');
                Delivery::Whole(answer)
            }
            Action::NextPage(next) => {
                let count = matches!(next, NextPage::Another).then(|| fired.count());
                Delivery::Whole(leads_on(answer, context, count))
            }
            Action::HoldAfter if fired.released().await == Release::CutOff => Delivery::Reset,
            _ => Delivery::Whole(answer),
        }
    }

    fn answer(&self, face: Face, context: &mut Context) -> Answer {
        if face == Face::Identity {
            return self.identity_answer(&context.request);
        }
        match self.admit(context) {
            Ok(()) if blobs::kind(&context.request).is_some() => {
                self.blob_answer(&context.request).unwrap_or_else(|refusal| context.refuse(&refusal))
            }
            Ok(()) => self
                .stated(context)
                .unwrap_or_else(|| self.route(context))
                .unwrap_or_else(|refusal| context.refuse(&refusal)),
            Err(refusal) => context.refuse(&refusal),
        }
    }

    /// Checks token, subscription, version and limits, in Resource Manager's order.
    fn admit(&self, context: &mut Context) -> Result<(), Refusal> {
        if matches!(context.route, Route::Endpoints) {
            return Ok(());
        }
        let inner = &self.inner;
        context.caller = authenticate(&inner.options, &inner.secret, inner.clock.now(), &context.request)?;
        if facts::is_of_storage(&context.request) || blobs::kind(&context.request).is_some() {
            return Ok(());
        }
        self.check_subscription(&context.route)?;
        self.check_role(context)?;
        context.api_version = versions::check(&context.request, &context.route, &self.regions())?;
        let (method, limits) = (&context.request.method, inner.options.throttling.as_ref());
        let count = inner.throttle.count(limits, method, &context.route, &context.caller.object_id);
        context.remaining = count.remaining;
        count.refusal.map_or(Ok(()), Err)
    }

    fn route(&self, context: &Context) -> Result<Answer, Refusal> {
        match (&context.route, context.request.method.as_str()) {
            (Route::Resource(id), "GET") => self.get_resource(context, id),
            (Route::Resource(id), "PUT") => self.put_resource(context, id),
            (Route::Resource(id), "PATCH") => self.patch_resource(context, id),
            (Route::Resource(id), "DELETE") => self.delete_resource(context, id),
            (Route::Access(id, begin), "POST") => self.change_access(context, id, *begin),
            (Route::GroupList { subscription, group, kind }, "GET") => {
                Ok(self.list(context, subscription, Some(group), *kind))
            }
            (Route::SubscriptionList { subscription, kind }, "GET") => {
                Ok(self.list(context, subscription, None, *kind))
            }
            (Route::Machine(id), "GET") => self.get_machine(id),
            (Route::Machine(id), "PUT") => self.put_machine_at(context, id),
            (Route::Machine(id), "DELETE") => Ok(self.delete_machine_at(context, id)),
            (Route::Instances(id), "GET") => self.list_instances(context, id),
            (Route::Machines { group, .. }, "GET") => self.list_machines(context, group),
            (Route::Tags(id), "GET") => self.get_tags(id),
            (Route::Tags(id), "PUT" | "PATCH" | "DELETE") => self.write_tags(context, id),
            (Route::ScopeTags { scope, .. }, "GET") => Ok(self.get_scope_tags(scope)),
            (Route::ScopeTags { scope, .. }, "PUT" | "PATCH" | "DELETE") => {
                self.write_scope_tags(context, scope)
            }
            (Route::Operation { subscription, name }, "GET") => self.poll(context, subscription, name),
            (Route::Graph, "POST") => self.query(context),
            (Route::Descendants(group), "GET") => self.descendants(context, group),
            (Route::Subscriptions, "GET") => Ok(self.subscriptions()),
            (Route::Subscription(id), "GET") => Ok(self.subscription(id)),
            (Route::Group { subscription, group }, "GET") => self.get_group(subscription, group),
            (Route::Group { subscription, group }, "PUT") => self.put_group(context, subscription, group),
            (Route::Group { subscription, group }, "DELETE") => {
                self.delete_group(context, subscription, group)
            }
            (Route::Logs(id), "POST") => self.query_logs(context, id),
            (Route::Components(subscription), "GET") => Ok(self.list_components(subscription)),
            (Route::ActivityLog(subscription), "GET") => self.list_activity(context, subscription),
            (Route::Tenants, "GET") => Ok(self.tenants()),
            (Route::Endpoints, "GET") => Ok(directory::endpoints(&context.request.origin)),
            (Route::Site(id), "GET") => self.get_site(id),
            (Route::SiteSettings(id), "POST") => self.list_site_settings(id),
            (Route::Sites(subscription), "GET") => Ok(self.list_sites(subscription)),
            (Route::UnknownType { namespace, type_name, .. }, _) => {
                Err(versions::unknown_type(namespace, type_name))
            }
            (Route::Unknown, _) => {
                Err(Refusal::new(404, "NotFound", "The requested path is not known here."))
            }
            (_, method) => {
                let message = format!("The requested resource does not support http method '{method}'.");
                Err(Refusal::new(405, "MethodNotAllowed", &message))
            }
        }
    }

    /// The headers of every response.
    fn dress(&self, face: Face, context: &Context, answer: &mut Answer) {
        let now = self.inner.clock.now();
        answer.set("date", &http_date(now));
        if face == Face::Identity {
            return;
        }
        context.remaining.tell(answer);
        let correlation = &context.correlation_id;
        answer.set("cache-control", "no-cache");
        answer.set("pragma", "no-cache");
        answer.set("expires", "-1");
        answer.set("strict-transport-security", "max-age=31536000; includeSubDomains");
        answer.set("x-content-type-options", "nosniff");
        answer.set("x-ms-request-id", &uuid::Uuid::new_v4().to_string());
        answer.set("x-ms-correlation-request-id", correlation);
        answer.set(
            "x-ms-routing-request-id",
            &format!("{}:{}:{correlation}", self.inner.options.region, compact(now)),
        );
        if context.route.is_of_compute() {
            answer.set("x-ms-served-by", "d911c7ed-ab64-4a18-819c-23c3fc88d285_133119746735578273");
        }
        // Both Resource Manager and the provider behind it send it.
        for _ in 0..2 {
            answer.headers.append("server", HeaderValue::from_static("Microsoft-HTTPAPI/2.0"));
        }
        let wanted = context.request.header("x-ms-return-client-request-id");
        if let (Some("true"), Some(id)) = (wanted, context.request.header("x-ms-client-request-id")) {
            answer.set("x-ms-client-request-id", id);
        }
    }

    fn record(
        &self,
        kind: Kind,
        context: &Context,
        delivery: &Delivery,
        fired: Option<&Fired>,
        received: time::OffsetDateTime,
    ) {
        let request = &context.request;
        let header = |name: &str| request.header(name).map(str::to_owned);
        let answer = match delivery {
            Delivery::Whole(answer) | Delivery::Half(answer) | Delivery::Endless(answer) => Some(answer),
            Delivery::Reset => None,
        };
        let headers = answer.into_iter().flat_map(|answer| &answer.headers);
        let secret = kind == Kind::Token && answer.is_some_and(|answer| answer.status == StatusCode::OK);
        self.inner.journal.push(Exchange {
            kind,
            method: request.method.to_string(),
            origin: request.origin.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            client_request_id: header("x-ms-client-request-id"),
            user_agent: header("user-agent"),
            content_type: header("content-type"),
            traceparent: header("traceparent"),
            object_id: request.bearer().map(|_| context.caller.object_id.clone()),
            request_body: readable(&request.body),
            status: answer.map(|answer| answer.status.as_u16()),
            response_headers: headers
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            response_body: answer.filter(|_| !secret).map_or(Value::Null, |answer| readable(&answer.body)),
            received,
            answered: self.inner.clock.now(),
            fault: fired
                .map(|fired| fired.action().name())
                .or_else(|| self.inner.is_odd.load(Ordering::Relaxed).then_some(ODD)),
        });
    }
}

/// A page that leads to itself, or to the same rows again by a new way if there is a `count`.
fn leads_on(mut answer: Answer, context: &Context, count: Option<u32>) -> Answer {
    let Ok(mut page) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    if page["value"].is_array() {
        let way = count.map(|count| format!("&page={count}")).unwrap_or_default();
        page["nextLink"] = Value::from(format!("{}{way}", context.request.url()));
    } else if page["data"].is_array() {
        page["$skipToken"] = Value::from(graph::token(0, count));
    }
    answer.body = page.to_string().into_bytes();
    answer
}

fn readable(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
}
