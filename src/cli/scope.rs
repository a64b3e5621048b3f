//! The scope of a command if none is set: az's current subscription, after a confirmation.

use std::io::IsTerminal;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::Value;

use super::{
    answer::Exit,
    flags::is_all,
    installation::{Reach, Refusal},
    output::note,
};
use crate::{
    azure::{Credential, az, az_fault},
    config::Config,
    policy::Mode,
    resource_id::is_subscription_id,
    scope::Scope,
};

const FLAGS: &str = "--subscriptions, --management-group or --all-subscriptions";

/// The flag that skips the confirmation. `required` says when it is required.
pub(super) fn yes_arg(required: &str) -> Arg {
    let help = "Skip the confirmation";
    let details = format!("{help}. {required}");
    Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help(help).long_help(details)
}

/// Confines a command that writes, and for which no scope is set, to az's current subscription. Returns whether to
/// ask for confirmation before the first write.
pub(super) async fn confine(
    config: &mut Config,
    matches: &ArgMatches,
    reach: Reach,
    has_app: bool,
) -> Result<bool, Refusal> {
    let yes = match reach {
        Reach::Several { yes } if !has_app => yes,
        // The app's identity and this person can read different subscriptions.
        Reach::Scope { yes } => yes,
        _ => return Ok(false),
    };
    if is_all(matches) || config.policy.scope != Scope::Visible {
        return Ok(false);
    }
    if config.identity().credential != Credential::AzureCli {
        let fault = format!("nothing was tried: no scope is set; use {FLAGS}");
        return Err((fault, Exit::Usage));
    }
    let asks = !(yes || config.policy.mode == Mode::Audit);
    if asks && !std::io::stdin().is_terminal() {
        let fault = format!(
            "nothing was tried: no scope is set, and there is no terminal for a confirmation; use {FLAGS}, or --yes for \
             az's current subscription"
        );
        return Err((fault, Exit::Usage));
    }
    let current = current_subscription().await.map_err(|fault| {
        (format!("nothing was tried: no scope is set, and {fault}; use {FLAGS}"), Exit::Usage)
    })?;
    note(&format!("scope: az's current subscription, {current}, because no scope is set"));
    config.policy.scope = Scope::Subscriptions(vec![current]);
    Ok(asks)
}

/// The subscription that `az account set` chose.
async fn current_subscription() -> Result<String, String> {
    let output = az(&["account", "show", "--output", "json"]).await?;
    if !output.status.success() && !output.stderr.trim_ascii().is_empty() {
        return Err(az_fault(&output));
    }
    let account: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match account["id"].as_str() {
        Some(id) if output.status.success() && is_subscription_id(id) => Ok(id.to_owned()),
        _ => Err("`az account show` returned no subscription".to_owned()),
    }
}
