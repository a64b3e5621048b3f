//! `diskseal reseal`: ends exemptions by tag before their day, and seals.

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
    enforce::{ExemptionFault, Outcome, reseal},
    resource_id::ResourceId,
};

/// Maximum number of resources in progress at once. Small, so that Ctrl-C leaves few of them unfinished.
const CONCURRENCY: usize = 4;

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "DISK=$(az disk show -g rg-app -n disk-1 --query id -o tsv)\n\
         diskseal reseal \"$DISK\"",
        "diskseal report --output json \\\n  \
         | jq -r '.exceptions[] | select(.reason == \"tag\" and \\\n    \
         (.detail | startswith(\"INC-1234 \"))) | .id' \\\n  \
         | diskseal reseal",
    ],
    exits: &[
        (0, "all are sealed"),
        (1, "something is not sealed, or the confirmation was declined"),
        (2, "invalid arguments or settings: nothing was tried"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("reseal")
        .about("End the exemption of the given disks and snapshots, and seal them")
        .long_about(
            "End the exemption of the given disks and snapshots before its last day: remove the exemption tag \
             (DISKSEAL_EXEMPT_TAG), which `diskseal unseal` has written, and seal them by the handler's rules.\n\n\
             The tag stays if the seal would not follow, as with a resource that a vault protects; a tag that is not of \
             the form of an exemption stays as well. A resource that a setting exempts is left as it is and listed. In \
             audit mode the command only reports what it would do; while the switch is off it writes nothing. It is safe \
             to run it again after an interruption.\n\n\
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
    session::run(matches, reach, move |session| work(session, ids, is_json))
}

async fn work(session: Session, ids: Vec<ResourceId>, is_json: bool) -> Exit {
    if session.ctx.policy.exemptions.tag.is_none() {
        complain(&format!("nothing was sealed: {}", ExemptionFault::NoTag), Exit::Usage);
        return Exit::Usage;
    }
    if session.asks
        && let Err(exit) = Plan::of(&ids).confirmed("Their exemption tags will be removed.\n", "Seal").await
    {
        return declined("nothing was sealed", exit);
    }
    given::each(&session, ids, CONCURRENCY, is_json, async |id| {
        let result = reseal(&session.ctx, &id, session.config.deadline).await;
        let exit = match &result {
            // An exemption that the command cannot end leaves the resource unsealed.
            Ok(Outcome::Exempt(_)) => Exit::NotAll,
            result => result.into(),
        };
        (ResourceLine::of_look(&id, &result), exit)
    })
    .await
}
