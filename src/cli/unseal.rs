//! `diskseal unseal`: unseals the given disks and snapshots until a date, with a reason.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Arg, ArgMatches, Command};
use time::Date;

use super::{
    given,
    help::Guide,
    ids,
    installation::{self, Installation, Reach},
    policy::{is_json, output_arg},
    question::{Plan, declined},
    resource_line::ResourceLine,
    scope,
    session::{self, Exit, Session, complain, note},
};
use crate::{
    enforce::{ExemptionTag, unseal},
    policy::TagExemption,
    resource_id::{ResourceId, is_same},
};

/// Maximum number of resources in progress at once. Small, so that Ctrl-C leaves few of them unfinished.
const CONCURRENCY: usize = 4;

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "DISK=$(az disk show -g rg-app -n disk-1 --query id -o tsv)\n\
         diskseal unseal --until 2027-01-31 \\\n  --reason \"INC-1234 restore test\" \"$DISK\"",
        "az disk list -g rg-restore --query \"[].id\" -o tsv \\\n  \
         | diskseal unseal --until 2027-01-31 --reason \"DR test\" --yes",
    ],
    exits: &[
        (0, "all are unsealed"),
        (1, "something is not unsealed, or the confirmation was declined"),
        (2, "invalid arguments or settings: nothing was tried"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("unseal")
        .about("Unseal the given disks and snapshots until a date, with a reason")
        .long_about(
            "Unseal the given disks and snapshots: set dataAccessAuthMode to None and remove the seal's tags. Before \
             that, write the exemption tag with the last day and the reason, so that the handler and the sweep \
             leave the resource as it is through the end of that day (UTC), and then seal it again.\n\n\
             The command needs the exemption tag of the function app (DISKSEAL_EXEMPT_TAG), and warns if the app does \
             not read that tag, because the app would then seal the resource again immediately. In audit mode it only \
             reports what it would do; while the switch is off it writes nothing. It is safe to run it again after an \
             interruption.\n\n\
             A reason that does not match DISKSEAL_EXEMPT_TICKET is refused. A last day that is further away than \
             DISKSEAL_EXEMPT_MAX_DAYS is written, with a warning, and listed by the report. `diskseal reseal` ends the \
             exemption before its last day.",
        )
        .add(GUIDE)
        .arg(installation::arg())
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("YYYY-MM-DD")
                .required(true)
                .value_parser(|text: &str| TagExemption::day(text))
                .help("Last day without the seal (UTC)"),
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .required(true)
                .help("Reason; anyone who can read the tags can read it"),
        )
        .arg(scope::yes_arg(
            "It is required without a terminal, or with IDs from standard input",
        ))
        .arg(output_arg().help("Output format; json is one object per line"))
        .arg(ids::arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let (Some(until), Some(reason)) = (matches.get_one::<Date>("until"), matches.get_one::<String>("reason"))
    else {
        return Exit::Usage.into();
    };
    let ids = match ids::read(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    let is_json = is_json(matches);
    let asks = !matches.get_flag("yes");
    if asks && (!ids::are_given(matches) || !std::io::stdin().is_terminal()) {
        let fault = "nothing was unsealed: there is no terminal for a confirmation; use --yes to skip it";
        return complain(fault, Exit::Usage);
    }
    session::run(matches, Reach::Named, |session| async move {
        let exemption = match ExemptionTag::new(&session.ctx.policy, *until, reason, session.ctx.now()) {
            Ok(exemption) => exemption,
            Err(fault) => {
                complain(&format!("nothing was unsealed: {fault}"), Exit::Usage);
                return Exit::Usage;
            }
        };
        if let Some(doubt) = doubt(&session) {
            note(&format!("warning: {doubt}"));
        }
        let too_long = session.ctx.policy.exemptions.demands.too_long(*until, session.ctx.now());
        // As with a tag that is written by hand: it exempts, and the report lists it.
        if let Some(too_long) = too_long {
            note(&format!("warning: {too_long}"));
        }
        let text = format!(
            "Anyone with a URL from `grant-access` will be able to read this data without signing in.\nExemption tag: \
             {exemption}\n"
        );
        if asks && let Err(exit) = Plan::of(&ids).confirmed(&text, "Unseal").await {
            return declined("nothing was unsealed", exit);
        }
        work(session, ids, exemption, is_json).await
    })
}

/// Why the handler may seal the resource again immediately: it does not read the exemption tag.
fn doubt(session: &Session) -> Option<String> {
    let tag = session.ctx.policy.exemptions.tag.as_deref()?;
    let Some(Installation { app, .. }) = &session.installation else {
        return Some(format!(
            "the function app's settings are unknown; an app whose DISKSEAL_EXEMPT_TAG is not {tag} seals again immediately"
        ));
    };
    let read = session.installation.as_ref()?.setting("DISKSEAL_EXEMPT_TAG").unwrap_or_default();
    match read.trim() {
        read if is_same(read, tag) => None,
        "" => Some(format!("{app} has no DISKSEAL_EXEMPT_TAG, so it seals again immediately")),
        read => {
            Some(format!("{app} reads the exemption tag {read}, not {tag}, so it seals again immediately"))
        }
    }
}

async fn work(session: Session, ids: Vec<ResourceId>, exemption: ExemptionTag, is_json: bool) -> Exit {
    // After Ctrl-C, what is not listed may be exempt and still sealed, or exempt and unsealed.
    given::each(&session, ids, CONCURRENCY, is_json, async |id| {
        let result = unseal(&session.ctx, &id, &exemption, session.config.deadline).await;
        (ResourceLine::of_unseal(&id, &result), Exit::from(&result))
    })
    .await
}
