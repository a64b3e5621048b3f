//! `diskseal sweep`: seals everything in scope, in one process.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{
    flags,
    help::Guide,
    installation::{self, Reach},
    interrupt::{stopped, stopped_with, unless_interrupted},
    narrowing, planned,
    policy::{is_json, output_arg},
    progress::Progress,
    question::{Plan, declined},
    resource_line::{Names, ResourceLine},
    scope,
    session::{self, Exit, Session, say},
    tally::{Manner, Tally, failed, show_gaps},
};
use crate::{
    arm::Client,
    policy::{Mode, decide::Change},
    report::Source,
    resource::{Resource, tags::Tags},
    sweep::{Advance, Found, list_open, plan, seal_all},
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
                .help("List what would be sealed, and write nothing"),
        )
        .arg(output_arg().help("Output format; json is one object per line"))
        .arg(
            Arg::new("verbose")
                .long("verbose")
                .short('v')
                .action(ArgAction::SetTrue)
                .help("Also list what is exempt or sealed and, in a dry run, the requests"),
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
    let manner = Manner { is_json: is_json(matches), is_verbose: matches.get_flag("verbose") };
    if matches.get_flag("dry-run") {
        let reach = Reach::Scope { yes: true };
        return session::run(matches, reach, move |session| dry_run(session, source, manner));
    }
    let concurrency = matches.get_one::<u16>("concurrency").map_or(64, |number| usize::from(*number));
    if let Some(exit) = planned::run(matches, source, concurrency, manner) {
        return exit;
    }
    let reach = Reach::Scope { yes: matches.get_flag("yes") };
    session::run(matches, reach, move |session| sweep(session, source, concurrency, manner))
}

async fn dry_run(session: Session, source: Source, manner: Manner) -> Exit {
    let shown = async {
        let tally = Tally::new(Names::of_scope(&session).await, manner);
        let on_found = |found: Found<'_>| match found {
            Found::ToSeal { resource, change, is_in_audit } => {
                tally.add(&ResourceLine::of_change(&resource.id, &change, is_in_audit), Exit::Done);
                if manner.is_verbose && !manner.is_json {
                    show_requests(&session.ctx.arm, resource, &change);
                }
            }
            Found::ToLookAt(resource) => tally.add(&ResourceLine::of_unknown(&resource.id), Exit::Done),
            Found::Left(resource, decision) => {
                let line = ResourceLine::of_left(&resource.id, &decision);
                if let Some(line) = line {
                    tally.list(&line);
                }
            }
        };
        let survey = list_open(&session.ctx, source, on_found).await?;
        tally.close_dry_run(&survey);
        Ok(show_gaps(&survey))
    };
    match unless_interrupted(shown).await {
        Some(Ok(exit)) => exit,
        Some(Err(error)) => failed(&error),
        None => stopped_with("nothing was written"),
    }
}

/// Prints the requests that seal a resource.
fn show_requests(arm: &Client, resource: &Resource, change: &Change) {
    let id = &resource.id;
    let tags = |tags: &Tags| (!tags.is_empty()).then(|| arm.tags_write(id, tags));
    let properties = change.sets_properties().then(|| arm.properties_write(id, &change.properties()));
    for write in [tags(&change.before), properties, tags(&change.tags)].into_iter().flatten() {
        say(&format!("  PATCH {}", write.url));
        say(&format!("  {}", String::from_utf8_lossy(&write.body)));
    }
}

async fn sweep(session: Session, source: Source, concurrency: usize, manner: Manner) -> Exit {
    let prepared = async {
        let names = Names::of_scope(&session).await;
        let mut shown = Plan::default();
        if session.asks {
            plan(&session.ctx, source, |resource, _| shown.add(&resource.id)).await?;
        }
        Ok((names, shown))
    };
    let (names, shown) = match unless_interrupted(prepared).await {
        Some(Ok(prepared)) => prepared,
        Some(Err(error)) => return failed(&error),
        None => return stopped_with("nothing was sealed"),
    };
    if !shown.is_empty()
        && let Err(exit) = shown.confirmed("", "Seal").await
    {
        return declined("nothing was sealed", exit);
    }
    let progress = Progress::new("{bar:30} {pos} of {len} done{pace}");
    let tally = Tally::new(names, manner);
    let on_advance = |advance| match advance {
        Advance::Expected(all) => progress.expect(all as u64),
        Advance::Left(id, decision) => {
            progress.advance();
            if let Some(line) = ResourceLine::of_left(&id, &decision) {
                tally.list(&line);
            }
        }
        Advance::Ended(id, result) => {
            progress.advance();
            tally.add(&ResourceLine::of_look(&id, &result), Exit::from(&result));
        }
    };
    let deadline = session.config.deadline;
    let ended = unless_interrupted(seal_all(&session.ctx, source, concurrency, deadline, on_advance)).await;
    drop(progress);
    match ended {
        Some(Ok(survey)) => {
            tally.close_sweep(&survey, session.ctx.policy.mode == Mode::Audit);
            let worst = tally.worst().max(show_gaps(&survey));
            let is_left = survey.counts.pending + survey.protected + survey.unreadable > 0;
            if is_left { worst.max(Exit::NotAll) } else { worst }
        }
        Some(Err(error)) => {
            tally.close();
            failed(&error)
        }
        None => {
            tally.close();
            stopped()
        }
    }
}
