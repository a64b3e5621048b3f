//! Sends the requests of all checks, and reports each finding as soon as it is known.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Url};
use futures::{StreamExt, stream};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Finding, NOT_CHECKED,
    event_grid::{self, DeadLetters, Expected},
    function_app,
    handler::{self, Handler},
    ingestion,
    names::Names,
    peek::peek,
    permissions, poison, probe,
};
use crate::{
    arm::{self, Failure, Unreadable, api},
    azure::{Authorization, Identity, Terms},
    enforce::{Context, switches_off},
    function::{POISON, QUEUE},
    policy::{BackupGuard, Mode, Policy},
    resource_id::is_same,
    scope::Scope,
};

/// How many subscriptions are checked at once.
const CONCURRENCY: usize = 8;
/// The timeout of each request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(25);

/// The deployment to check, in addition to its settings.
pub struct Deployment {
    /// The function app's resource ID. If there is none, the app is that of the event subscriptions.
    pub function_app: Option<String>,
    /// The app's setting `AZURE_CLIENT_ID`, which names the handler's identity; none for the app's own.
    pub client_id: Option<String>,
    /// The base URL of the storage account's queue service, and the identity with a token for it.
    pub queue: Option<(Url, Identity)>,
    /// The endpoints of Azure Monitor's OTLP ingestion, with the names of their signals.
    pub ingestion: Vec<(&'static str, Url)>,
    /// The identity with a token for these endpoints.
    pub monitor: Identity,
    /// The HTTP client.
    pub http: Arc<dyn HttpClient>,
    /// Whether the identity is a person, and not the function app's.
    pub is_person: bool,
}

/// What was found in one subscription.
#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    function_apps: Vec<String>,
    dead_letters: Vec<DeadLetters>,
}

/// Runs all checks. Their order is that of cause and effect: a fault may explain those after it.
pub async fn examine(ctx: &Context, deployment: &Deployment, report: &mut dyn FnMut(Finding)) {
    report(settings(&ctx.policy));
    match ctx.arm.identity().authorization(terms()).await {
        Ok(authorization) => {
            report(token(&authorization, ctx.now()));
        }
        Err(error) => return report(Finding::unreadable("token", "", None, &error.into())),
    }
    let handler = handler(ctx, deployment, report).await;
    if let Some(scope) = &ctx.options.switch {
        if let Some(handler) = &handler {
            handler::reads_switch(ctx, handler, scope, terms()).await.into_iter().for_each(&mut *report);
        }
        report(switch(scope, ctx.arm.tags(scope, terms()).await.as_ref().map(switches_off)));
    }
    let Some((subscriptions, names)) = subscriptions(ctx, report).await else { return };
    if ctx.policy.backup_guard != BackupGuard::Off {
        report(backups(ctx).await);
    }
    let expected = Expected {
        function_app: deployment.function_app.as_deref(),
        client_id: deployment.client_id.as_deref(),
        machine_events: ctx.options.machine_events,
        grants: ctx.options.grants,
    };
    let mut all = stream::iter(&subscriptions)
        .map(|id| subscription(ctx, id, expected, handler.as_ref()))
        .buffered(CONCURRENCY);
    let mut not_checked = NotChecked::default();
    let mut apps: BTreeSet<String> = deployment.function_app.iter().cloned().collect();
    let mut containers = BTreeSet::new();
    while let Some(found) = all.next().await {
        let findings = found.findings.into_iter().map(|finding| names.name(finding));
        findings.filter_map(|finding| not_checked.hold(finding)).for_each(&mut *report);
        for app in found.function_apps {
            if !apps.iter().any(|known| is_same(known, &app)) {
                apps.insert(app);
            }
        }
        containers.extend(found.dead_letters);
    }
    not_checked.findings().for_each(&mut *report);
    if apps.is_empty() {
        report(function_app::no_app());
    }
    for app in &apps {
        let functions = ctx.arm.inspect_all(&api::FUNCTIONS, &format!("{app}/functions"), terms()).await;
        function_app::functions(app, functions.as_deref()).into_iter().for_each(&mut *report);
    }
    for container in &containers {
        let path =
            format!("{}/blobServices/default/containers/{}", container.storage_account, container.container);
        let answer = ctx.arm.inspect(&api::CONTAINER, &path, terms()).await;
        report(function_app::dead_letters(container, answer.as_ref()));
    }
    for (signal, url) in &deployment.ingestion {
        let answer = probe::send(&deployment.http, &deployment.monitor, probe::of_ingestion(url), terms())
            .await
            .map(drop);
        report(ingestion::ingestion(signal, answer.as_ref().copied(), deployment.is_person));
    }
    queues(ctx, deployment, report).await;
}

fn settings(policy: &Policy) -> Finding {
    let tags = count(policy.tags.len(), "tag");
    let exemptions = policy.exemptions.tag.as_deref().unwrap_or("off");
    let text = |mode: &str| format!("mode {mode}, {tags} of the seal, exemption tag {exemptions}");
    match policy.mode {
        Mode::Enforce if policy.rings.are_all() => Finding::ok("settings", "", text("enforce")),
        Mode::Enforce => Finding::warning(
            "settings",
            "",
            format!(
                "{}, in the ring enforce: {}; everything else is in the ring audit",
                text("enforce"),
                policy.rings
            ),
            "review what the ring audit would seal (diskseal report), then extend DISKSEAL_ENFORCE, or remove it for all",
        ),
        Mode::Audit => Finding::warning(
            "settings",
            "",
            format!("{}: nothing is sealed", text("audit")),
            "review what it would seal, then set DISKSEAL_MODE=enforce",
        ),
    }
}

fn token(authorization: &Authorization, now: OffsetDateTime) -> Finding {
    let name = authorization.object_id.as_deref().unwrap_or("unknown");
    let left = (authorization.expires_on() - now).whole_minutes();
    let text = format!("signed in as object ID {name}, token valid for {left} minutes");
    Finding::ok("token", "", text)
}

/// Finds the handler's identity if a person runs the checks; `None` if the permissions are those of this command's own
/// identity.
async fn handler(ctx: &Context, deployment: &Deployment, report: &mut dyn FnMut(Finding)) -> Option<Handler> {
    if !deployment.is_person {
        return None;
    }
    let Some(app) = &deployment.function_app else {
        report(Finding::warning(
            "identity",
            "",
            "the handler's identity is unknown; the permissions below are those of the account that is signed in",
            "pass --app with the resource ID of the function app",
        ));
        return None;
    };
    match handler::find(ctx, app, deployment.client_id.as_deref(), terms()).await {
        Ok((handler, finding)) => {
            report(finding);
            Some(handler)
        }
        Err(finding) => {
            report(finding);
            None
        }
    }
}

/// What could not be checked in several subscriptions for the same reason.
#[derive(Default)]
struct NotChecked(Vec<(Finding, usize)>);

impl NotChecked {
    /// Keeps a finding of this kind, and returns any other.
    fn hold(&mut self, finding: Finding) -> Option<Finding> {
        if !finding.text.starts_with(NOT_CHECKED) {
            return Some(finding);
        }
        let is_same =
            |(held, _): &&mut (Finding, usize)| (held.check, &held.text) == (finding.check, &finding.text);
        match self.0.iter_mut().find(is_same) {
            Some((_, more)) => *more += 1,
            None => self.0.push((finding, 0)),
        }
        None
    }

    /// One finding for each reason, about the first subscription, with the number of others.
    fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|(finding, more)| match more {
            0 => finding,
            _ => Finding { about: format!("{} and {more} more", finding.about), ..finding },
        })
    }
}

/// The state of the switch; `Ok(true)` means off.
fn switch(scope: &str, is_off: Result<bool, &arm::Error>) -> Finding {
    const CHECK: &str = "switch";
    match is_off {
        Ok(false) => Finding::ok(CHECK, scope, "on"),
        Ok(true) => Finding::warning(
            CHECK,
            scope,
            "off: nothing is sealed",
            "remove the tag diskseal from it to allow writes again",
        ),
        Err(error) => match error.failure {
            Failure::System(_) => Finding::unreadable(CHECK, scope, api::TAGS.action, error),
            Failure::Gone | Failure::Overtaken | Failure::Resource(_) => Finding::failed(
                CHECK,
                scope,
                format!("cannot be read, so for a new process it counts as on and stops nothing: {error:#}"),
                "correct DISKSEAL_SWITCH, and give the identity Microsoft.Resources/tags/read there",
            ),
        },
    }
}

/// Reads what vaults protect, as the backup guard does.
async fn backups(ctx: &Context) -> Finding {
    const CHECK: &str = "backups";
    let protected = ctx.protected(terms()).await;
    let doubts = protected.doubts();
    if doubts.is_empty() {
        let text =
            format!("{} machines, disks and resource groups are protected by vaults", protected.count());
        return Finding::ok(CHECK, "", text);
    }
    Finding::warning(
        CHECK,
        "",
        format!(
            "the backup guard does not know all that is protected, so it skips what may be: {}",
            doubts.join("; ")
        ),
        "give the identity the reads of vaults and clusters in all subscriptions, or set DISKSEAL_BACKUP_GUARD=off \
         where no vault protects anything",
    )
}

/// Lists the subscriptions in scope.
async fn subscriptions(ctx: &Context, report: &mut dyn FnMut(Finding)) -> Option<(Vec<String>, Names)> {
    const CHECK: &str = "scope";
    let (about, which) = match &ctx.policy.scope {
        Scope::Visible => ("", "all that this identity sees"),
        Scope::Subscriptions(_) => ("", "from DISKSEAL_SUBSCRIPTIONS"),
        Scope::ManagementGroup(id) => (id.as_str(), "all in this management group"),
    };
    let listed = ctx.arm.subscriptions(&ctx.policy.scope, terms()).await;
    for Unreadable { what, why } in listed.iter().flat_map(|listed| &listed.unread) {
        let text = format!("{what} cannot be read: {why}");
        report(Finding::failed(
            CHECK,
            about,
            text,
            "the subscriptions after it were not checked; run doctor again",
        ));
    }
    let names = Names::of(ctx, listed.as_ref().ok(), terms()).await;
    match (listed.map(|listed| listed.ids), &ctx.policy.scope) {
        (Ok(ids), Scope::ManagementGroup(_)) if ids.is_empty() => {
            let remedy = "correct DISKSEAL_MANAGEMENT_GROUP, or move subscriptions into the group";
            report(Finding::failed(CHECK, about, "this management group has no subscription", remedy));
            None
        }
        (Ok(ids), _) if ids.is_empty() => {
            let remedy = "assign the identity's role on a subscription or a management group";
            report(Finding::failed(CHECK, about, "this identity sees no subscription", remedy));
            None
        }
        (Ok(ids), _) => {
            report(Finding::ok(CHECK, about, format!("{}, {which}", count(ids.len(), "subscription"))));
            Some((ids, names))
        }
        (Err(error), Scope::ManagementGroup(_)) if error.is_refusal() => {
            // Events and sweeps do not know what is in scope then.
            report(Finding::failed(
                CHECK,
                about,
                error.to_string(),
                "correct DISKSEAL_MANAGEMENT_GROUP, and give the identity \
                 Microsoft.Management/managementGroups/descendants/read on the group",
            ));
            None
        }
        (Err(error), _) => {
            report(Finding::unreadable(CHECK, about, api::SUBSCRIPTIONS.action, &error));
            None
        }
    }
}

async fn subscription(ctx: &Context, id: &str, expected: Expected<'_>, handler: Option<&Handler>) -> Found {
    let mut found = Found::default();
    match handler::permissions(ctx, handler, id, terms()).await {
        Ok(permissions) => found.findings.extend(permissions::findings(
            id,
            &ctx.policy,
            ctx.options.machine_events,
            &permissions,
        )),
        Err(finding) => found.findings.push(finding),
    }
    event_route(ctx, id, expected, &mut found).await;
    found
}

/// Checks both ways in which a subscription can deliver events: by a system topic, and by an event subscription of
/// its own.
async fn event_route(ctx: &Context, id: &str, expected: Expected<'_>, found: &mut Found) {
    let (of_topic, own) = futures::join!(of_system_topic(ctx, id), of_subscription(ctx, id));
    let mut unread = vec![];
    let mut known = |subscriptions: Result<Option<Vec<Value>>, Finding>| {
        subscriptions.unwrap_or_else(|finding| {
            unread.push(finding);
            None
        })
    };
    let (of_topic, own) = (known(of_topic), known(own));
    for route in event_grid::routes(id, expected, of_topic.as_deref(), own.as_deref()) {
        // What could not be read is not missing.
        if route.function_app.is_none() && !unread.is_empty() {
            continue;
        }
        found.findings.extend(route.findings);
        found.function_apps.extend(route.function_app);
        found.dead_letters.extend(route.dead_letters);
    }
    // If events arrive one way, the other way need not be readable.
    if found.function_apps.is_empty() {
        found.findings.extend(unread);
    }
}

/// The event subscriptions of the system topic; `None` if there is no topic.
async fn of_system_topic(ctx: &Context, id: &str) -> Result<Option<Vec<Value>>, Finding> {
    let path = format!("/subscriptions/{id}/providers/Microsoft.EventGrid/systemTopics");
    let topics = ctx.arm.inspect_all(&api::SYSTEM_TOPICS, &path, terms()).await;
    let topics = topics.map_err(|error| unreadable(id, api::SYSTEM_TOPICS.action, &error))?;
    let Some(topic) = event_grid::topic_of(id, &topics) else { return Ok(None) };
    let path = format!("{topic}/eventSubscriptions");
    match ctx.arm.inspect_all(&api::TOPIC_EVENT_SUBSCRIPTIONS, &path, terms()).await {
        Ok(subscriptions) => Ok(Some(subscriptions)),
        Err(error) if error.failure == Failure::Gone => Ok(None),
        Err(error) => Err(unreadable(id, api::TOPIC_EVENT_SUBSCRIPTIONS.action, &error)),
    }
}

/// The event subscriptions of the subscription itself, without a system topic.
async fn of_subscription(ctx: &Context, id: &str) -> Result<Option<Vec<Value>>, Finding> {
    let path = format!("/subscriptions/{id}/providers/Microsoft.EventGrid/eventSubscriptions");
    let all = ctx.arm.inspect_all(&api::EVENT_SUBSCRIPTIONS, &path, terms()).await;
    let all = all.map_err(|error| unreadable(id, api::EVENT_SUBSCRIPTIONS.action, &error))?;
    Ok(Some(event_grid::own(id, all)))
}

fn unreadable(id: &str, needed: Option<&str>, error: &arm::Error) -> Finding {
    Finding::unreadable("Event Grid", id, needed, error)
}

/// Checks the queue, and where it answers, the poison queue beside it.
async fn queues(ctx: &Context, deployment: &Deployment, report: &mut dyn FnMut(Finding)) {
    let Some((service, identity)) = &deployment.queue else {
        return report(function_app::queue_not_checked());
    };
    let mut url = service.clone();
    url.set_path(&format!("{}/{}", service.path().trim_end_matches('/'), QUEUE));
    url.set_query(Some("comp=metadata"));
    let answer = probe::send(&deployment.http, identity, probe::of_queue(&url), terms()).await.map(drop);
    report(function_app::queue(service.as_str(), answer.as_ref().copied()));
    if answer.is_ok() {
        let answer = peek(&deployment.http, service, POISON, identity, REQUEST_TIMEOUT).await;
        report(poison::finding(service.as_str(), answer, ctx.now()));
    }
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn terms() -> Terms {
    Terms::behind_events(REQUEST_TIMEOUT)
}
