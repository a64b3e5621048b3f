//! `diskseal seal`: single disks and snapshots, by their IDs.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use futures::{StreamExt, stream};

use super::{
    flags, ids,
    installation::{self, Reach},
    question::Plan,
    scope,
    session::{self, Exit, Session, complain, say},
};
use crate::{
    enforce::{Line, Look, Trigger, enforce},
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
    let work = stream::iter(ids)
        .map(|resource| async {
            let look = Look::new(resource, Trigger::Command, session.config.deadline);
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
