//! Gathers the facts, and tells of each as soon as it is known.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Url};
use futures::{StreamExt, stream};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset};

use super::{
    Finding,
    event_grid::{self, DeadLetters},
    function_app, ingestion, permissions, probe,
};
use crate::{
    arm::{self, Failure, api},
    azure::{Identity, SignedIn, Terms},
    enforce::{Context, is_off},
    function::QUEUE,
    policy::{BackupGuard, Mode, Policy},
    scope::Scope,
};

/// How many subscriptions are looked at at once.
const CONCURRENCY: usize = 8;
/// How long the answers about one subscription, app or container may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// What is examined besides the settings.
pub struct Subject {
    /// The function app's resource ID. Without it, the event subscriptions say which it is.
    pub function_app: Option<String>,
    /// The base URL of the storage account's queue service, and the identity with a token for it.
    pub queue: Option<(Url, Identity)>,
    /// The endpoints of Azure Monitor's OTLP ingestion, with the names of their signals.
    pub ingestion: Vec<(&'static str, Url)>,
    /// The identity with a token for them.
    pub monitor: Identity,
    /// The transport.
    pub http: Arc<dyn HttpClient>,
    /// Whether the identity is a person, and not the function app's.
    pub is_person: bool,
}

/// What looking at one subscription has brought.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    function_apps: Vec<String>,
    dead_letters: Vec<DeadLetters>,
}

/// Looks at everything, in the order in which a fault explains those after it.
pub async fn examine(ctx: &Context, subject: &Subject, tell: &mut dyn FnMut(Finding)) {
    tell(settings(&ctx.policy));
    match ctx.arm.identity().sign_in(terms()).await {
        Ok(signed_in) => token(&signed_in, ctx.now(), subject.is_person).into_iter().for_each(&mut *tell),
        Err(error) => return tell(Finding::not_seen("token", "", None, &error.into())),
    }
    if let Some(scope) = &ctx.options.switch {
        tell(switch(scope, ctx.arm.tags(scope, terms()).await.as_ref().map(is_off)));
    }
    let Some(subscriptions) = subscriptions(ctx, tell).await else { return };
    if ctx.policy.backup_guard != BackupGuard::Off {
        tell(backups(ctx).await);
    }
    let app = subject.function_app.as_deref();
    let mut all = stream::iter(&subscriptions).map(|id| subscription(ctx, id, app)).buffered(CONCURRENCY);
    let mut apps: BTreeSet<String> = subject.function_app.iter().cloned().collect();
    let mut containers = BTreeSet::new();
    while let Some(seen) = all.next().await {
        seen.findings.into_iter().for_each(&mut *tell);
        for app in seen.function_apps {
            if !apps.iter().any(|known| known.eq_ignore_ascii_case(&app)) {
                apps.insert(app);
            }
        }
        containers.extend(seen.dead_letters);
    }
    if apps.is_empty() {
        tell(function_app::no_app());
    }
    for app in &apps {
        let functions = ctx.arm.inspect_all(&api::FUNCTIONS, &format!("{app}/functions"), terms()).await;
        function_app::functions(app, functions.as_deref()).into_iter().for_each(&mut *tell);
    }
    for container in &containers {
        let path =
            format!("{}/blobServices/default/containers/{}", container.storage_account, container.container);
        let answer = ctx.arm.inspect(&api::CONTAINER, &path, terms()).await;
        tell(function_app::dead_letters(container, answer.as_ref()));
    }
    for (signal, url) in &subject.ingestion {
        let answer = probe::ingestion_answers(&subject.http, &subject.monitor, url, terms()).await;
        tell(ingestion::ingestion(signal, answer.as_ref().copied()));
    }
    tell(queue(subject).await);
}

fn settings(policy: &Policy) -> Finding {
    let tags = count(policy.tags.len(), "tag");
    let exemptions = policy.exemptions.tag.as_deref().unwrap_or("off");
    let text = |mode: &str| format!("mode {mode}, {tags} of the seal, exemption tag {exemptions}");
    match policy.mode {
        Mode::Enforce => Finding::ok("settings", "", text("enforce")),
        Mode::Audit => Finding::warning(
            "settings",
            "",
            format!("{}: nothing is sealed", text("audit")),
            "set DISKSEAL_MODE=enforce when what it would seal is what you want sealed",
        ),
    }
}

fn token(signed_in: &SignedIn, now: OffsetDateTime, is_person: bool) -> Vec<Finding> {
    let expires_on = signed_in.expires_on.to_offset(UtcOffset::UTC);
    let expires_on = expires_on.replace_nanosecond(0).unwrap_or(expires_on);
    let name = signed_in.object_id.as_deref().unwrap_or("that the token does not tell");
    let left = (expires_on - now).whole_minutes();
    let text = format!("signed in as object ID {name}, token good for {left} minutes");
    let mut findings = vec![Finding::ok("token", "", text)];
    if is_person {
        findings.push(Finding::warning(
            "token",
            "",
            "this is whoever is logged in to the Azure CLI, and the permissions below are theirs",
            "to see what the handler may do, run doctor in the function app, with --credential managed-identity",
        ));
    }
    findings
}

/// How the switch stands, `Ok(true)` for off.
fn switch(scope: &str, is_off: Result<bool, &arm::Error>) -> Finding {
    const CHECK: &str = "switch";
    match is_off {
        Ok(false) => Finding::ok(CHECK, scope, "on"),
        Ok(true) => Finding::warning(
            CHECK,
            scope,
            "off: nothing is sealed",
            "take the tag diskseal off it when writes may go on",
        ),
        Err(error) => match error.failure {
            Failure::System(_) => Finding::not_seen(CHECK, scope, api::TAGS.action, error),
            Failure::Gone | Failure::Overtaken | Failure::Resource(_) => Finding::failed(
                CHECK,
                scope,
                format!("cannot be read, so it would stop nothing: {error}"),
                "correct DISKSEAL_SWITCH, and give the identity Microsoft.Resources/tags/read there",
            ),
        },
    }
}

/// What the backup guard knows.
async fn backups(ctx: &Context) -> Finding {
    const CHECK: &str = "backups";
    let protected = ctx.protected(terms()).await;
    let doubts: Vec<_> = protected.doubts().collect();
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

/// The subscriptions in scope.
async fn subscriptions(ctx: &Context, tell: &mut dyn FnMut(Finding)) -> Option<Vec<String>> {
    const CHECK: &str = "scope";
    let (about, which) = match &ctx.policy.scope {
        Scope::Visible => ("", "all that this identity sees"),
        Scope::Subscriptions(_) => ("", "by DISKSEAL_SUBSCRIPTIONS"),
        Scope::ManagementGroup(id) => (id.as_str(), "all below this management group"),
    };
    match (ctx.arm.subscriptions(&ctx.policy.scope, terms()).await, &ctx.policy.scope) {
        (Ok(ids), Scope::ManagementGroup(_)) if ids.is_empty() => {
            let remedy = "correct DISKSEAL_MANAGEMENT_GROUP, or move subscriptions into the group";
            tell(Finding::failed(CHECK, about, "this management group has no subscription", remedy));
            None
        }
        (Ok(ids), _) if ids.is_empty() => {
            let remedy = "assign the identity's role on a subscription or a management group";
            tell(Finding::failed(CHECK, about, "this identity sees no subscription", remedy));
            None
        }
        (Ok(ids), _) => {
            tell(Finding::ok(CHECK, about, format!("{}, {which}", count(ids.len(), "subscription"))));
            Some(ids)
        }
        (Err(error), Scope::ManagementGroup(_)) if !matches!(error.failure, Failure::System(_)) => {
            // Without the members, no event and no sweep knows what is in scope.
            tell(Finding::failed(
                CHECK,
                about,
                error.to_string(),
                "correct DISKSEAL_MANAGEMENT_GROUP, and give the identity \
                 Microsoft.Management/managementGroups/descendants/read on the group",
            ));
            None
        }
        (Err(error), _) => {
            tell(Finding::not_seen(CHECK, about, api::SUBSCRIPTIONS.action, &error));
            None
        }
    }
}

async fn subscription(ctx: &Context, id: &str, function_app: Option<&str>) -> Seen {
    let path = format!("/subscriptions/{id}/providers/Microsoft.Authorization/permissions");
    let answer = ctx.arm.inspect_all(&api::PERMISSIONS, &path, terms()).await;
    let mut seen = Seen::default();
    match answer {
        Ok(permissions) => seen.findings.extend(permissions::findings(
            id,
            &ctx.policy,
            ctx.options.machine_events,
            &permissions,
        )),
        Err(error) => {
            seen.findings.push(Finding::not_seen("permissions", id, api::PERMISSIONS.action, &error));
        }
    }
    event_route(ctx, id, function_app, &mut seen).await;
    seen
}

/// By which of two ways a subscription's events leave it: a system topic, or an event subscription of its own.
async fn event_route(ctx: &Context, id: &str, function_app: Option<&str>, seen: &mut Seen) {
    let (of_topic, own) = futures::join!(of_system_topic(ctx, id), of_subscription(ctx, id));
    let mut unseen = vec![];
    let mut known = |subscriptions: Result<Option<Vec<Value>>, Finding>| {
        subscriptions.unwrap_or_else(|finding| {
            unseen.push(finding);
            None
        })
    };
    let (of_topic, own) = (known(of_topic), known(own));
    for route in
        event_grid::routes(id, function_app, ctx.options.machine_events, of_topic.as_deref(), own.as_deref())
    {
        // What was not looked at is no absence.
        if route.function_app.is_none() && !unseen.is_empty() {
            continue;
        }
        seen.findings.extend(route.findings);
        seen.function_apps.extend(route.function_app);
        seen.dead_letters.extend(route.dead_letters);
    }
    // Where events arrive by one way, the other one is nobody's need.
    if seen.function_apps.is_empty() {
        seen.findings.extend(unseen);
    }
}

/// The event subscriptions of the system topic; none if there is no topic.
async fn of_system_topic(ctx: &Context, id: &str) -> Result<Option<Vec<Value>>, Finding> {
    let path = format!("/subscriptions/{id}/providers/Microsoft.EventGrid/systemTopics");
    let topics = ctx.arm.inspect_all(&api::SYSTEM_TOPICS, &path, terms()).await;
    let topics = topics.map_err(|error| not_seen(id, api::SYSTEM_TOPICS.action, &error))?;
    let Some(topic) = event_grid::topic_of(id, &topics) else { return Ok(None) };
    let path = format!("{topic}/eventSubscriptions");
    match ctx.arm.inspect_all(&api::TOPIC_EVENT_SUBSCRIPTIONS, &path, terms()).await {
        Ok(subscriptions) => Ok(Some(subscriptions)),
        Err(error) if error.failure == Failure::Gone => Ok(None),
        Err(error) => Err(not_seen(id, api::TOPIC_EVENT_SUBSCRIPTIONS.action, &error)),
    }
}

/// The event subscriptions that are the subscription's own, by no topic that anybody sees.
async fn of_subscription(ctx: &Context, id: &str) -> Result<Option<Vec<Value>>, Finding> {
    let path = format!("/subscriptions/{id}/providers/Microsoft.EventGrid/eventSubscriptions");
    let all = ctx.arm.inspect_all(&api::EVENT_SUBSCRIPTIONS, &path, terms()).await;
    let all = all.map_err(|error| not_seen(id, api::EVENT_SUBSCRIPTIONS.action, &error))?;
    Ok(Some(event_grid::own(id, all)))
}

fn not_seen(id: &str, needed: Option<&str>, error: &arm::Error) -> Finding {
    Finding::not_seen("Event Grid", id, needed, error)
}

async fn queue(subject: &Subject) -> Finding {
    let Some((service, identity)) = &subject.queue else { return function_app::queue_not_checked() };
    let mut url = service.clone();
    url.set_path(&format!("{}/{}", service.path().trim_end_matches('/'), QUEUE));
    url.set_query(Some("comp=metadata"));
    let answer = probe::queue_answers(&subject.http, identity, &url, terms()).await;
    function_app::queue(service.as_str(), answer.as_ref().copied())
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn terms() -> Terms {
    Terms::behind_events(PATIENCE)
}
