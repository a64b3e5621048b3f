//! `diskseal seal`: single disks and snapshots, by their IDs.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use futures::{StreamExt, stream};
use tracing::Level;

use super::{
    flags, ids,
    installation::{self, Reach},
    question::Plan,
    scope,
    session::{self, Exit, Session, complain, say},
};
use crate::{
    enforce::{Error, Line, Look, Trigger, enforce},
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
             --data-access-auth-mode AzureActiveDirectory` does, and the tags; snapshots are done the same.\n\n\
             Several IDs without an app and without a scope are those of az's current subscription: the command shows \
             them and asks.",
        )
        .after_help(
            "Examples:\n  \
             diskseal seal /subscriptions/…/providers/Microsoft.Compute/disks/disk-1\n  \
             az snapshot list --query [].id -o tsv | diskseal seal",
        )
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(scope::yes_arg("Do not ask; needed for several IDs without app, scope and terminal"))
        .arg(ids::arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let ids = match ids::read(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    let yes = matches.get_flag("yes");
    let reach = if ids.len() == 1 { Reach::Named } else { Reach::Several { yes } };
    session::run(matches, reach, |session| seal(session, ids))
}

async fn seal(session: Session, ids: Vec<ResourceId>) -> Exit {
    if session.asks && !Plan::of(&ids).is_confirmed("", "Seal") {
        complain("nothing was sealed", Exit::NotAll);
        return Exit::NotAll;
    }
    let protected = match Protected::read(&session.ctx.arm, &session.ctx.policy, session.terms()).await {
        Ok(protected) => protected,
        Err(fault) => {
            let fault = Error::from(fault);
            complain(&fault.to_string(), Exit::from(&fault));
            return Exit::from(&fault);
        }
    };
    let work = stream::iter(ids)
        .map(|resource| async {
            let look = Look::new(resource, Trigger::Command, session.config.deadline);
            if let Some(vault) = guarded(&session, &protected, &look.resource).await {
                let why = format!("its machine is protected by {vault}");
                return (Line::new(Level::WARN, "protected", &look.resource, Some(why)), Exit::NotAll);
            }
            let result = enforce(&session.ctx, &look).await;
            (Line::of_look(&look.resource, &result), Exit::from(&result))
        })
        .buffer_unordered(CONCURRENCY);
    let mut worst = Exit::Done;
    let all = work.for_each(|(line, exit)| {
        say(&line.to_string());
        worst = worst.max(exit);
        std::future::ready(())
    });
    tokio::select! {
        () = all => worst,
        _ = tokio::signal::ctrl_c() => {
            say("stopped; what is not named above was not finished");
            Exit::NotAll
        }
    }
}

/// What protects the disk's machine, if that keeps the disk from being sealed. Looks at the disk only where
/// anything is protected at all; `enforce` reports what cannot be read.
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
