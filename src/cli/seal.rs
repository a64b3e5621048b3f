//! `diskseal seal`: single disks and snapshots, by their IDs.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use futures::{StreamExt, stream};

use super::{
    ids,
    session::{self, Exit, Session, complain, say},
};
use crate::{
    enforce::{Concern, Error, Look, Outcome, Trigger, enforce},
    estate::Protected,
    policy::BackupGuard,
    resource_id::ResourceId,
};

/// How many resources are worked on at once.
const CONCURRENCY: usize = 16;

pub(super) fn command() -> Command {
    Command::new("seal")
        .about("Seals single disks and snapshots")
        .long_about(
            "Seals single disks and snapshots, as the handler would: sets dataAccessAuthMode to \
             AzureActiveDirectory, merges the tags, and waits for the proof. For disks it is what `az disk update \
             --data-access-auth-mode AzureActiveDirectory` does, and the tags; snapshots are done the same.",
        )
        .after_help(
            "Examples:\n  \
             diskseal seal /subscriptions/…/providers/Microsoft.Compute/disks/disk-1\n  \
             az snapshot list --query [].id -o tsv | diskseal seal",
        )
        .arg(ids::arg())
}

pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>, matches: &ArgMatches) -> ExitCode {
    let ids = match ids::read(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    session::run(lookup, |session| seal(session, ids))
}

async fn seal(session: Session, ids: Vec<ResourceId>) -> Exit {
    let protected = match Protected::read(&session.ctx.arm, &session.ctx.policy, session.terms()).await {
        Ok(protected) => protected,
        Err(fault) => {
            complain(&fault.to_string(), Exit::Unreachable);
            return Exit::Unreachable;
        }
    };
    let work = stream::iter(ids)
        .map(|resource| async {
            let look = Look::new(resource, Trigger::Command, session.config.deadline);
            if let Some(vault) = guarded(&session, &protected, &look.resource).await {
                return (
                    format!("protected {}: its machine is protected by {vault}", look.resource),
                    Exit::NotAll,
                );
            }
            let result = enforce(&session.ctx, &look).await;
            (line(&look.resource, &result), exit(&result))
        })
        .buffer_unordered(CONCURRENCY);
    let mut worst = Exit::Done;
    let told = work.for_each(|(line, exit)| {
        say(&line);
        worst = worst.max(exit);
        std::future::ready(())
    });
    tokio::select! {
        () = told => worst,
        _ = tokio::signal::ctrl_c() => {
            say("stopped; what is not named above was not finished");
            Exit::NotAll
        }
    }
}

/// What protects the disk's machine, if that keeps the disk from being sealed. Looks at the disk only where
/// anything is protected at all; what cannot be read is for `enforce` to tell.
async fn guarded(session: &Session, protected: &Protected, id: &ResourceId) -> Option<String> {
    if protected.is_nothing() {
        return None;
    }
    let resource = session.ctx.arm.get(id, session.terms()).await.ok()?;
    let vault = protected.of(&resource)?.to_string();
    if session.ctx.policy.backup_guard == BackupGuard::Skip {
        return Some(vault);
    }
    tracing::warn!("the machine of {id} is protected by {vault}");
    None
}

fn line(resource: &ResourceId, result: &Result<Outcome, Error>) -> String {
    match result {
        Ok(Outcome::Exempt(exemption)) => format!("exempt {resource}: {exemption}"),
        Ok(outcome) => format!("{} {resource}", outcome.label()),
        Err(error) => format!("{} {resource}: {error}", error.concern().label()),
    }
}

fn exit(result: &Result<Outcome, Error>) -> Exit {
    match result {
        Ok(Outcome::Sealed(_) | Outcome::AlreadySealed) => Exit::Done,
        Err(error) if error.concern() == Concern::System => Exit::Unreachable,
        Ok(_) | Err(_) => Exit::NotAll,
    }
}
