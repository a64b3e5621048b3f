//! The resource group of the trial: made with a disk and a snapshot in it, and deleted whatever happened.

use std::time::Duration;

use serde_json::json;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

use super::venue::{Stop, Trial, terms, unless_stopped};
use crate::{
    arm::{Api, Error, Failure, ResourceFailure, api},
    doctor::{Finding, Verdict},
    enforce::Context,
};

const CHECK: &str = "try";
const CLEAN_UP: &str = "clean-up";
/// The smallest disk that costs the least ("Managed disks pricing").
const GIGABYTES: u32 = 4;
/// The pause between two reads of what is being made or deleted.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the creation of one resource may take, with its retries.
const CREATION_MAX: Duration = Duration::from_mins(2);
/// How long the deletion of the group is waited for. It takes Azure a minute or two.
const DELETION_MAX: Duration = Duration::from_mins(10);
/// How long a refused deletion is tried again: what is being written cannot be deleted.
const REFUSED_MAX: Duration = Duration::from_mins(1);

/// What may exist after [`make`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing.
    Nothing,
    /// The group, or a request for it that may still take effect.
    Something,
}

/// Creates the group, the disk, and the snapshot of it. Ends early, with no finding, if somebody wants to stop.
pub(super) async fn make(
    ctx: &Context,
    trial: &Trial,
    stop: &Stop,
    progress: &mut (dyn FnMut(&str) + Send),
) -> (Made, Option<Finding>) {
    let group = trial.group();
    // A name that is taken is somebody else's group, which must not be deleted.
    match ctx.arm.has_group(&group, terms()).await {
        Ok(false) => {}
        Ok(true) => {
            let text = "a resource group of this name exists; nothing was created";
            return (
                Made::Nothing,
                Some(Finding::failed(CHECK, group, text, "run it again, for another name")),
            );
        }
        Err(error) => {
            return (Made::Nothing, Some(refused(&group, &api::GROUP, &error, "nothing was created")));
        }
    }
    if *stop.borrow() > 0 {
        return (Made::Nothing, None);
    }
    progress(&format!("creating {group} in {}", trial.location));
    let now = ctx.now().format(&Rfc3339).unwrap_or_default();
    let tags = json!({"made-by": "diskseal doctor --try", "made-at": now});
    if let Err(error) = ctx.arm.create_group(&group, &trial.location, &tags, terms()).await {
        // Without an answer, or after an error of Azure's own, it may exist all the same.
        let made = if is_refusal(&error) { Made::Nothing } else { Made::Something };
        let what = if made == Made::Nothing { "nothing was created" } else { "the group may exist" };
        return (made, Some(refused(&group, &api::GROUP_CREATE, &error, what)));
    }
    let disk = async || ctx.arm.create_disk(&trial.disk, &trial.location, GIGABYTES, terms()).await;
    let snapshot =
        async || ctx.arm.create_snapshot(&trial.snapshot, &trial.location, &trial.disk, terms()).await;
    let done = match create(stop, &api::DISK_CREATE, &trial.disk.to_string(), disk).await {
        // A snapshot can be taken once the disk is there.
        None => match exists(ctx, trial, stop).await {
            None => create(stop, &api::SNAPSHOT_CREATE, &trial.snapshot.to_string(), snapshot).await,
            finding => finding,
        },
        finding => finding,
    };
    (Made::Something, done)
}

/// Sends a creation, and again while Azure says that a write is under way. A request that was sent is waited for, so
/// that the deletion comes after it.
async fn create(
    stop: &Stop,
    api: &'static Api,
    about: &str,
    mut send: impl AsyncFnMut() -> Result<(), Error>,
) -> Option<Finding> {
    let began = Instant::now();
    while *stop.borrow() == 0 {
        match send().await {
            Ok(()) => return None,
            Err(error)
                if error.failure == Failure::Resource(ResourceFailure::Conflict)
                    && began.elapsed() < CREATION_MAX => {}
            Err(error) => return Some(refused(about, api, &error, "the trial ends here")),
        }
        unless_stopped(stop, sleep(PAUSE)).await?;
    }
    None
}

/// Waits until the disk is there; a finding if it is not made.
async fn exists(ctx: &Context, trial: &Trial, stop: &Stop) -> Option<Finding> {
    let began = Instant::now();
    loop {
        let state = match ctx.arm.get(&trial.disk, terms()).await {
            Ok(resource) => resource.provisioning_state.unwrap_or_else(|| "Succeeded".to_owned()),
            Err(error) if error.failure == Failure::Gone => "not there".to_owned(),
            Err(error) => {
                return Some(refused(&trial.disk.to_string(), &api::DISK, &error, "the trial ends here"));
            }
        };
        let is = |word: &str| state.eq_ignore_ascii_case(word);
        if is("Succeeded") || is("Updating") {
            return None;
        }
        if is("Failed") || is("Canceled") || began.elapsed() >= CREATION_MAX {
            let text = format!("Azure did not create the disk: its state is {state}");
            let remedy = "look at the deployment's activity log, or try another --location";
            return Some(Finding::failed(CHECK, trial.disk.to_string(), text, remedy));
        }
        unless_stopped(stop, sleep(PAUSE)).await?;
    }
}

/// Deletes the group, and waits until it is gone. A second wish to stop ends the wait.
pub(super) async fn delete(
    ctx: &Context,
    trial: &Trial,
    stop: &Stop,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Finding {
    let group = trial.group();
    progress(&format!("deleting {group}"));
    let mut patience = stop.clone();
    let gone = tokio::select! {
        biased;
        gone = gone(ctx, &group) => gone,
        Ok(_) = patience.wait_for(|times| *times > 1) => Err("interrupted".to_owned()),
    };
    match gone {
        Ok(()) => Finding::ok(CLEAN_UP, group, "deleted, with all that was in it"),
        Err(why) => {
            let command = format!(
                "az group delete --yes --subscription {} --name {}",
                trial.subscription_id,
                trial.group_name()
            );
            Finding::failed(CLEAN_UP, group, format!("the deletion is not confirmed: {why}"), command)
        }
    }
}

async fn gone(ctx: &Context, group: &str) -> Result<(), String> {
    let began = Instant::now();
    loop {
        match ctx.arm.delete_group(group, terms()).await {
            Ok(()) => break,
            Err(error) if error.failure == Failure::Gone => return Ok(()),
            Err(error) if is_forbidden(&error) => {
                return Err(format!("{error}; it needs {}", api::GROUP_DELETE.action.unwrap_or_default()));
            }
            Err(error) if began.elapsed() >= REFUSED_MAX => return Err(error.to_string()),
            Err(_) => sleep(PAUSE).await,
        }
    }
    let mut fault = "it goes on".to_owned();
    while began.elapsed() < DELETION_MAX {
        match ctx.arm.has_group(group, terms()).await {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => fault = error.to_string(),
        }
        sleep(PAUSE).await;
    }
    Err(fault)
}

/// Whether ARM has refused the request for certain, so that it has no effect.
fn is_refusal(error: &Error) -> bool {
    error.status.is_some_and(|status| (400..500).contains(&status) && status != 408)
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error.failure, Failure::Resource(ResourceFailure::Forbidden | ResourceFailure::DenyAssignment))
}

fn refused(about: &str, api: &Api, error: &Error, what: &str) -> Finding {
    let action = api.action.unwrap_or_default();
    if is_forbidden(error) {
        let text = format!("this account lacks {action}; {what}");
        let remedy = "sign in with an account that has the role Contributor on the subscription";
        return Finding::failed(CHECK, about, text, remedy);
    }
    let finding =
        Finding::failed(CHECK, about, format!("{error}; {what}"), "resolve the error that Azure returned");
    match error.failure {
        Failure::System(_) => Finding { verdict: Verdict::Unreachable, ..finding },
        _ => finding,
    }
}
