//! `diskseal sweep`: seals everything in scope, in one process.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use parking_lot::Mutex;

use super::{
    flags,
    help::Guide,
    installation::{self, Reach},
    narrowing, planned,
    question::Plan,
    scope,
    session::{self, Exit, Session, complain, progress, say},
    tally::{Tally, failed, show_gaps},
};
use crate::{
    enforce::Line,
    estate::Survey,
    report::Source,
    resource::{Resource, tags::Tags},
    sweep::{Advance, plan, seal_all},
};

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "diskseal sweep --dry-run",
        "diskseal sweep --max-percent 20 --pace 5",
        "diskseal sweep --plan plan.json\ndiskseal sweep --apply plan.json\ndiskseal sweep --revert plan.json",
        "diskseal sweep --resource-group 'rg-dev-*' --kind snapshot \\\n  --created-after 6h",
        "diskseal sweep --management-group mg-prod",
        "diskseal sweep --exact \\\n  --subscriptions 11111111-2222-4333-8444-555555555555",
    ],
    exits: &[
        (0, "everything is sealed or exempt, or the dry run or plan is complete"),
        (
            1,
            "something is not sealed or could not be read, a limit or the switch\nstopped the sweep, or the confirmation was declined",
        ),
        (2, "invalid arguments or settings: nothing was tried"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("sweep")
        .about("Seal everything in scope that is unsealed")
        .long_about(
            "List everything in scope that is unsealed, through Resource Graph and across all subscriptions, and seal \
             it in this process. Part of ARM's quota is left free for other clients.\n\n\
             If neither the app nor a flag sets a scope, the scope is az's current subscription: the command lists \
             what it would seal and asks for confirmation.\n\n\
             With --plan FILE, it writes what it would seal to a file and nothing to Azure. With --apply FILE, it seals \
             exactly the resources of that file, and refuses what is no longer as it was. With --revert FILE, it gives \
             them back their earlier mode and tags.",
        )
        .add(GUIDE)
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(scope::yes_arg("It is required without a scope and a terminal"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Show what would be sent, and write nothing"),
        )
        .arg(
            Arg::new("exact")
                .long("exact")
                .action(ArgAction::SetTrue)
                .help("List each subscription without Resource Graph")
                .long_help("List each subscription instead of querying Resource Graph, which can lag"),
        )
        .arg(
            Arg::new("concurrency")
                .long("concurrency")
                .value_name("NUMBER")
                .default_value("64")
                .value_parser(value_parser!(u16).range(1..=256))
                .help("Maximum of resources at once")
                .long_help("Maximum number of resources in progress at once"),
        )
        .args(planned::args())
        .args(narrowing::args())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let source = if matches.get_flag("exact") { Source::Lists } else { Source::Graph };
    if matches.get_flag("dry-run") {
        let reach = Reach::Scope { yes: true };
        return session::run(matches, reach, |session| dry_run(session, source));
    }
    let concurrency = matches.get_one::<u16>("concurrency").map_or(64, |number| usize::from(*number));
    if let Some(exit) = planned::run(matches, source, concurrency) {
        return exit;
    }
    let reach = Reach::Scope { yes: matches.get_flag("yes") };
    session::run(matches, reach, move |session| sweep(session, source, concurrency))
}

async fn dry_run(session: Session, source: Source) -> Exit {
    let arm = &session.ctx.arm;
    let show = |resource: &Resource, change: crate::policy::decide::Change| {
        let id = &resource.id;
        let tags = |tags: &Tags| (!tags.is_empty()).then(|| arm.tags_write(id, tags));
        let properties = change.sets_properties().then(|| arm.properties_write(id, &change.properties()));
        for write in [tags(&change.before), properties, tags(&change.tags)].into_iter().flatten() {
            say(&format!("PATCH {}", write.url));
            say(&String::from_utf8_lossy(&write.body));
        }
    };
    match plan(&session.ctx, source, show).await {
        Ok(survey) => {
            say(&survey.to_string());
            show_gaps(&survey)
        }
        Err(error) => failed(&error),
    }
}

async fn sweep(session: Session, source: Source, concurrency: usize) -> Exit {
    if session.asks {
        let mut shown = Plan::default();
        if let Err(error) = plan(&session.ctx, source, |resource, _| shown.add(&resource.id)).await {
            return failed(&error);
        }
        if !shown.is_empty() && !shown.confirmed("", "Seal").await {
            complain("nothing was sealed", Exit::NotAll);
            return Exit::NotAll;
        }
    }
    let progress = progress("{bar:30} {pos} of {len} listed, {per_sec}, {eta} left");
    let tally = Mutex::new(Tally::default());
    let on_advance = |advance| match advance {
        Advance::Listed(count) => progress.set_length(progress.position() + count as u64),
        Advance::Ended(id, result) => {
            progress.inc(1);
            let line = Line::of_look(&id, &result);
            if result.is_err() {
                progress.suspend(|| say(&line.to_string()));
            }
            tally.lock().add(&line, Exit::from(&result));
        }
    };
    let deadline = session.config.deadline;
    let ended = tokio::select! {
        ended = seal_all(&session.ctx, source, concurrency, deadline, on_advance) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.finish_and_clear();
    let tally = tally.into_inner();
    tally.show();
    let worst = tally.worst;
    match ended {
        Some(Ok(survey)) => {
            show_rest(&survey);
            let worst = worst.max(show_gaps(&survey));
            if survey.counts.pending + survey.protected + survey.unreadable > 0 {
                worst.max(Exit::NotAll)
            } else {
                worst
            }
        }
        Some(Err(error)) => failed(&error),
        None => {
            say("interrupted; run it again to continue");
            Exit::NotAll
        }
    }
}

/// Prints what the listing alone decided.
fn show_rest(survey: &Survey) {
    for (count, what) in [
        (survey.counts.exempt, "exempt"),
        (survey.counts.pending, "pending: left to the next sweep"),
        (survey.protected - survey.doubtful, "protected: left as they are; see the warnings"),
        (survey.doubtful, "protected: left as they are, because the vaults cannot be read; see the warning"),
        (survey.unreadable, "unreadable in the listing; see the warnings"),
    ] {
        if count > 0 {
            say(&format!("{count:>8} {what}"));
        }
    }
}
