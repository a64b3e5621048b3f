//! Where the trial takes place, and what it would create. Only reads.

use std::time::Duration;

use super::{
    evidence,
    venue::{Trial, terms},
    watch::is_missing_table,
};
use crate::{
    arm::{Unreadable, api},
    doctor::{Finding, Verdict},
    enforce::Context,
    policy::Mode,
    resource_id::{ResourceId, is_same},
    scope::Scope,
};

const CHECK: &str = "try";
/// The word for no workspace.
pub const NO_WORKSPACE: &str = "none";

/// What the person asks for, and what the app's settings say.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The subscription to create the group in.
    pub subscription: Option<String>,
    /// The location; that of the app if there is none.
    pub location: Option<String>,
    /// The ID of the Log Analytics workspace, or [`NO_WORKSPACE`].
    pub workspace: Option<String>,
    /// How long to wait for the seal and the traces.
    pub timeout: Duration,
    /// The application ID of the app's Application Insights component, by which the workspace is found.
    pub application_id: Option<String>,
    /// Whether the app's settings name an endpoint for traces; true if they are unknown.
    pub exports_traces: bool,
    /// The scope of the installation, whatever the flags say. None if there is no installation.
    pub installation: Option<Scope>,
    /// The function app's resource ID.
    pub function_app: Option<String>,
    /// What makes the group's name unique: six hexadecimal digits.
    pub nonce: String,
}

/// Whether a text is the ID of a Log Analytics workspace, without characters that could redirect a request.
pub fn is_workspace(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
            && !name.starts_with('.')
    };
    let folded = text.to_ascii_lowercase();
    let segments: Vec<&str> = folded.split('/').collect();
    matches!(segments[..],
        ["", "subscriptions", id, "resourcegroups", group, "providers", "microsoft.operationalinsights", "workspaces", name]
            if [id, group, name].into_iter().all(is_name))
}

/// Decides where to try.
///
/// # Errors
/// The trial cannot take place, or nothing could be seen of it: the finding says why. Nothing was created.
pub async fn plan(ctx: &Context, wishes: &Wishes) -> Result<Trial, Finding> {
    let subscription_id = subscription(ctx, wishes).await?;
    let location = location(ctx, wishes).await?;
    let name = format!("rg-diskseal-try-{}", wishes.nonce);
    let id = |kind: &str, name_of_one: &str| -> Result<ResourceId, Finding> {
        let id = format!(
            "/subscriptions/{subscription_id}/resourceGroups/{name}/providers/Microsoft.Compute/{kind}/{name_of_one}"
        );
        id.parse().map_err(|fault| {
            none(&format!("{id} is not a valid ID: {fault}"), "pass another --try-subscription")
        })
    };
    let (disk, snapshot) = (id("disks", "disk-diskseal-try")?, id("snapshots", "snap-diskseal-try")?);
    for one in [&disk, &snapshot] {
        if let Some(exemption) = ctx.policy.exempt_by_id(one, ctx.now()) {
            let text = format!("the handler would leave {one} as it is: {exemption}");
            return Err(none(&text, "pass --try-subscription with one that no exemption covers"));
        }
    }
    let mut trial = Trial {
        subscription_id,
        location,
        disk,
        snapshot,
        workspace: None,
        without_workspace: String::new(),
        exports_traces: wishes.exports_traces,
        timeout: wishes.timeout,
    };
    match workspace(ctx, wishes, &trial).await {
        Ok(id) => trial.workspace = Some(id),
        Err(why) => trial.without_workspace = why,
    }
    if trial.workspace.is_none() && trial.mode(&ctx.policy) == Mode::Audit {
        let text = format!(
            "in audit the handler writes nothing, so only its telemetry shows what it would do, and {}; Event Grid's \
             metric DeliverySuccessCount shows deliveries, and nothing of what came of them. Nothing was created",
            trial.without_workspace
        );
        let remedy = "pass --workspace with the ID of the Log Analytics workspace";
        return Err(Finding { verdict: Verdict::Unknown, ..Finding::warning(CHECK, "", text, remedy) });
    }
    Ok(trial)
}

/// The subscription: the one that is asked for, or that of the app, or the only one in scope.
async fn subscription(ctx: &Context, wishes: &Wishes) -> Result<String, Finding> {
    let mut known: Vec<String> = listed(ctx, &ctx.policy.scope).await?;
    if let Some(installation) = &wishes.installation
        && *installation != ctx.policy.scope
    {
        let handled = listed(ctx, installation).await?;
        known.retain(|id| handled.iter().any(|one| is_same(one, id)));
    }
    let is_known = |id: &str| known.iter().any(|one| is_same(one, id));
    if let Some(wanted) = &wishes.subscription {
        let text = format!("subscription {wanted} is outside of the installation's scope");
        let remedy = "pass one that is in scope, or extend the installation's scope";
        return if is_known(wanted) { Ok(wanted.clone()) } else { Err(none(&text, remedy)) };
    }
    let of_app =
        wishes.function_app.as_deref().and_then(|app| app.split('/').nth(2)).filter(|id| is_known(id));
    match (of_app, &known[..]) {
        (Some(id), _) => Ok(id.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => {
            let text = "no subscription of the command line's scope is in the installation's scope";
            Err(none(text, "compare the scope with the app's settings"))
        }
        (None, several) => {
            let text = format!("{} subscriptions are in scope, and none of them is the app's", several.len());
            Err(none(&text, "pass --try-subscription with one of them"))
        }
    }
}

async fn listed(ctx: &Context, scope: &Scope) -> Result<Vec<String>, Finding> {
    let listed = ctx.arm.subscriptions(scope, terms()).await;
    let listed = listed.map_err(|error| Finding::unreadable(CHECK, "", api::SUBSCRIPTIONS.action, &error))?;
    match listed.unread.first() {
        Some(Unreadable { what, why }) if listed.ids.is_empty() => {
            Err(none(&format!("{what} cannot be read: {why}"), "run it again"))
        }
        _ => Ok(listed.ids),
    }
}

async fn location(ctx: &Context, wishes: &Wishes) -> Result<String, Finding> {
    if let Some(location) = &wishes.location {
        return Ok(location.clone());
    }
    let Some(app) = &wishes.function_app else {
        return Err(none(
            "there is no function app whose location could be used",
            "pass --location or --app",
        ));
    };
    let site = ctx.arm.inspect(&api::SITE, app, terms()).await;
    let site = site.map_err(|error| Finding::unreadable(CHECK, app, api::SITE.action, &error))?;
    // "West Europe" is the display name of westeurope.
    let location: String = site["location"].as_str().unwrap_or_default().split_whitespace().collect();
    let location = location.to_ascii_lowercase();
    let is_name = !location.is_empty() && location.chars().all(|c| c.is_ascii_alphanumeric());
    if is_name { Ok(location) } else { Err(none("the app's location is unknown", "pass --location")) }
}

/// The workspace, if it answers; or why nothing can be read.
async fn workspace(ctx: &Context, wishes: &Wishes, trial: &Trial) -> Result<String, String> {
    let id = match &wishes.workspace {
        Some(id) if id == NO_WORKSPACE => return Err("--workspace none".to_owned()),
        Some(id) => id.clone(),
        None => found(ctx, wishes).await?,
    };
    match ctx.arm.logs(&id, &evidence::looks(&trial.disk, &trial.snapshot), terms()).await {
        Ok(_) => Ok(id),
        Err(error) if is_missing_table(&error) => Ok(id),
        Err(error) => {
            let needed = api::LOGS.action.unwrap_or_default();
            Err(format!(
                "the workspace {id} cannot be read (requires {needed}, as in Log Analytics Reader): {error:#}"
            ))
        }
    }
}

/// The workspace of the component to which the app's host sends its telemetry.
async fn found(ctx: &Context, wishes: &Wishes) -> Result<String, String> {
    let unknown = || "no workspace is known".to_owned();
    let (Some(application_id), Some(app)) = (&wishes.application_id, &wishes.function_app) else {
        return Err(unknown());
    };
    let subscription = app.split('/').nth(2).unwrap_or_default();
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.Insights/components");
    let components = ctx.arm.inspect_all(&api::COMPONENTS, &path, terms()).await;
    let components = components.map_err(|error| format!("no workspace is known: {error}"))?;
    let is_it = |value: &&serde_json::Value| {
        value["properties"]["AppId"].as_str().is_some_and(|id| is_same(id, application_id))
    };
    let id = components.iter().find(is_it).and_then(|one| one["properties"]["WorkspaceResourceId"].as_str());
    id.filter(|id| is_workspace(id)).map(str::to_owned).ok_or_else(unknown)
}

/// The trial does not take place.
fn none(text: &str, remedy: &str) -> Finding {
    Finding::failed(CHECK, "", format!("{text}; nothing was created"), remedy)
}

#[cfg(test)]
mod tests {
    use super::is_workspace;

    #[test]
    fn only_the_path_of_a_workspace_is_one() {
        let good =
            "/subscriptions/1/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log";
        assert!(is_workspace(good) && is_workspace(&good.to_uppercase()));
        for wrong in [
            &format!("{good}/query"),
            &good.replace("/log", "/.."),
            &good.replace("/log", "/a?b"),
            &good.replace("/log", "/a%2f"),
            &good.replace("workspaces", "clusters"),
            "",
        ] {
            assert!(!is_workspace(wrong), "{wrong}");
        }
    }
}
