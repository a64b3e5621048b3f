//! `diskseal seal`: seals the given disks and snapshots.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::{
    flags, given,
    help::Guide,
    ids,
    installation::{self, Reach},
    policy::{is_json, output_arg},
    question::{Plan, declined},
    resource_line::ResourceLine,
    scope,
    session::{self, Exit, Session, complain},
};
use crate::{
    enforce::{Look, Trigger, enforce},
    resource_id::ResourceId,
};

/// Maximum number of resources in progress at once.
const CONCURRENCY: usize = 16;

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "DISK=$(az disk show -g rg-app -n disk-1 --query id -o tsv)\n\
         diskseal seal \"$DISK\"",
        "az snapshot list --query \"[].id\" -o tsv | diskseal seal",
    ],
    exits: &[
        (0, "all are sealed or exempt"),
        (1, "something is not sealed, or the confirmation was declined"),
        (2, "invalid arguments or settings: nothing was tried"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("seal")
        .about("Seal the given disks and snapshots")
        .long_about(
            "Seal the given disks and snapshots, by the handler's rules: set dataAccessAuthMode to \
             AzureActiveDirectory, merge the tags, and wait until ARM confirms the change. For a disk this is `az disk \
             update --data-access-auth-mode AzureActiveDirectory` plus the tags; snapshots are sealed the same way.\n\n\
             With several IDs but neither an app nor a scope, the scope is az's current subscription, and the command \
             lists the resources and asks for confirmation.",
        )
        .add(GUIDE)
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(scope::yes_arg(
            "It is required for several IDs without an app, a scope and a terminal",
        ))
        .arg(output_arg().help("Output format; json is one object per line"))
        .arg(ids::arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let ids = match ids::read(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    let yes = matches.get_flag("yes");
    let reach = if ids.len() == 1 { Reach::Named } else { Reach::Several { yes } };
    let is_json = is_json(matches);
    session::run(matches, reach, move |session| seal(session, ids, is_json))
}

async fn seal(session: Session, ids: Vec<ResourceId>, is_json: bool) -> Exit {
    if session.asks
        && let Err(exit) = Plan::of(&ids).confirmed("", "Seal").await
    {
        return declined("nothing was sealed", exit);
    }
    given::each(&session, ids, CONCURRENCY, is_json, async |id| {
        let look = Look::new(id, Trigger::Command, session.config.deadline);
        let result = enforce(&session.ctx, &look).await;
        (ResourceLine::of_look(&look.resource, &result), Exit::from(&result))
    })
    .await
}
