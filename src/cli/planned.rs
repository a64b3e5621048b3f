//! `diskseal sweep` with a plan: writes it, applies it, and reverts it.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Arg, ArgMatches, value_parser};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    installation::Reach,
    interrupt::{stopped, stopped_with, unless_interrupted},
    narrowing,
    output::{print, screen},
    progress::Progress,
    question::{Plan as Question, declined},
    resource_line::{Names, ResourceLine},
    session::{self, Exit, Session, complain, note, say},
    subscriptions::{Subscriptions, subscriptions},
    tally::{Manner, Tally, failed, planned, show_gaps},
};
use crate::{
    config::{Config, Use, of_installation},
    policy::{Before, decide::Change},
    report::Source,
    resource::Resource,
    sweep::{Advance, Plan, PlanWriter, Planned, Settings, apply, plan, revert_all},
    text::{Column, Layout, Row},
};

const PLAN: &str = "plan";
const APPLY: &str = "apply";
const REVERT: &str = "revert";

pub(super) fn args() -> [Arg; 3] {
    let arg = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with_all([PLAN, APPLY, REVERT].into_iter().filter(|other| *other != name))
            .conflicts_with("dry-run")
            .help(help)
    };
    // The resources of a plan are in the file.
    let of_file = |arg: Arg| arg.conflicts_with("exact").conflicts_with_all(narrowing::NAMES);
    [
        arg(PLAN, "Write what would be sealed to a new file")
            .long_help("Write what would be sealed to a new file, and nothing to Azure"),
        of_file(arg(APPLY, "Seal exactly the resources of a plan"))
            .long_help("Seal exactly the resources of a plan, each if it is as it was"),
        of_file(arg(REVERT, "Undo what a plan has sealed"))
            .long_help("Give the resources of a plan back their earlier mode and tags"),
    ]
}

/// Runs the command if it is about a plan.
pub(super) fn run(
    matches: &ArgMatches,
    source: Source,
    concurrency: usize,
    manner: Manner,
) -> Option<ExitCode> {
    let file = |name| matches.get_one::<PathBuf>(name).cloned();
    let yes = matches.get_flag("yes");
    if let Some(path) = file(PLAN) {
        let reach = Reach::Scope { yes: true };
        return Some(session::run(matches, reach, |session| write(session, source, path)));
    }
    if let Some(path) = file(APPLY) {
        let plan = match read(&path) {
            Ok(plan) => plan,
            Err(fault) => return Some(complain(&fault, Exit::Usage)),
        };
        let reach = Reach::Scope { yes };
        return Some(session::run(matches, reach, move |session| {
            apply_all(session, plan, concurrency, manner)
        }));
    }
    let path = file(REVERT)?;
    let plan = match read(&path) {
        Ok(plan) => plan,
        Err(fault) => return Some(complain(&fault, Exit::Usage)),
    };
    if !yes && !io::stdin().is_terminal() {
        let fault = "nothing was reverted: there is no terminal for a confirmation; use --yes to skip it";
        return Some(complain(fault, Exit::Usage));
    }
    let revert = move |session| revert(session, plan, yes, concurrency, manner);
    Some(session::run(matches, Reach::Named, revert))
}

fn read(path: &Path) -> Result<Plan, String> {
    let named = |fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
    let file = File::open(path).map_err(|fault| named(&fault))?;
    Plan::read(&mut BufReader::new(file)).map_err(|fault| named(&fault))
}

/// The settings that decide what is sealed and how, as they are in force.
fn settings(config: &Config) -> Settings {
    let deciding = of_installation().filter(|setting| setting.used == Use::Always);
    deciding.map(|setting| (setting.name, setting.shown(config))).collect()
}

async fn write(session: Session, source: Source, path: PathBuf) -> Exit {
    let Some(written) = unless_interrupted(list(&session, source, &path)).await else {
        return stopped_with("no plan was written");
    };
    match written {
        Ok(exit) => exit,
        Err(fault) => {
            complain(&format!("{}: {fault}", path.display()), Exit::Usage);
            Exit::Usage
        }
    }
}

/// Lists, prints and writes the plan. The file appears whole or not at all, and never in place of another one, which may
/// be needed for a revert.
async fn list(session: &Session, source: Source, path: &Path) -> io::Result<Exit> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists; choose another name"));
    }
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let app = session.installation.as_ref().map(|found| found.app.as_str());
    let taken_at = seconds(session.ctx.now());
    let settings = settings(&session.config);
    let mut writer = PlanWriter::begin(BufWriter::new(file.as_file_mut()), &taken_at, app, &settings)?;
    let policy = &session.ctx.policy;
    let (subscriptions, screen) = (subscriptions(session).await, screen());
    let widths = if screen.width.is_some() { WIDTHS } else { WIDTHS_OF_A_PIPE };
    let layout = Layout::new(&COLUMNS, &widths, screen.width);
    let (mut fault, mut unknown) = (None, 0);
    let on_change = |resource: &Resource, change: Change| {
        if !change.sets_properties() && change.tags.is_empty() {
            // What it was is not known, so nothing could be compared or restored.
            note(&format!("not in the plan: {}: it is listed in a form that cannot be read", resource.id));
            unknown += 1;
            return;
        }
        let before = Before::of(policy, resource);
        let one = Planned { id: resource.id.clone(), before, change: (&change).into() };
        print(screen.row(&layout, &row(&one, &subscriptions)).as_bytes());
        if fault.is_none() {
            fault = writer.add(&one).err();
        }
    };
    print(screen.head(&layout).as_bytes());
    let survey = match plan(&session.ctx, source, on_change).await {
        Ok(survey) => survey,
        Err(error) => return Ok(failed(&error)),
    };
    if let Some(fault) = fault {
        return Err(fault);
    }
    let count = writer.end()?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|fault| fault.error)?;
    say(&planned(&survey, count, &path.display().to_string()));
    let exit = show_gaps(&survey);
    Ok(if unknown + survey.unreadable > 0 { exit.max(Exit::NotAll) } else { exit })
}

const COLUMNS: [Column; 8] = [
    Column::name("NAME", 12),
    Column::whole("KIND").ranked(1),
    Column::name("GROUP", 8),
    Column::name("SUBSCRIPTION", 12).ranked(2),
    Column::whole("RING"),
    Column::whole("MODE"),
    Column::whole("NETWORK").ranked(3),
    Column::number("TAGS"),
];
/// The widths of the columns: names are as long as Azure allows ("Naming rules and restrictions for Azure resources"), and
/// shortened by the terminal.
const WIDTHS: [usize; 8] = [80, 8, 90, 64, 7, 28, 7, 4];
/// The same where nothing is shortened, as in a pipe. A longer name moves the rest of its line.
const WIDTHS_OF_A_PIPE: [usize; 8] = [32, 8, 24, 24, 7, 28, 7, 4];

/// A resource of the plan on one line.
fn row(one: &Planned, subscriptions: &Subscriptions) -> Row {
    let mode = one.before.data_access_auth_mode.as_str();
    let mode = if one.change.data_access_auth_mode {
        format!("{mode} -> AzureActiveDirectory")
    } else {
        mode.to_owned()
    };
    let network = if one.change.network_access.is_empty() { "" } else { "set" };
    let (id, tags) = (&one.id, one.change.tags.len().to_string());
    let subscription = subscriptions.title(id.subscription_id());
    Row::new([
        id.name().to_owned(),
        id.resource_type().label().to_owned(),
        id.resource_group().to_owned(),
        subscription.to_owned(),
        one.before.ring.label().to_owned(),
        mode,
        network.to_owned(),
        tags,
    ])
}

async fn apply_all(session: Session, plan: Plan, concurrency: usize, manner: Manner) -> Exit {
    let now = settings(&session.config);
    let drift: Vec<_> = plan.drift(&now).collect();
    if !drift.is_empty() {
        let shown =
            |value: Option<&str>| value.map_or_else(|| "not set".to_owned(), |value| format!("{value:?}"));
        let all: Vec<_> = drift
            .into_iter()
            .map(|(name, plan, now)| format!("\n  {name}: {} in the plan, {} now", shown(plan), shown(now)))
            .collect();
        let fault = format!(
            "nothing was written: the plan was made by other settings (their hash differs); make a new plan:{}",
            all.concat()
        );
        complain(&fault, Exit::NotAll);
        return Exit::NotAll;
    }
    if session.asks
        && !plan.resources.is_empty()
        && let Err(exit) = question(&plan).confirmed("", "Seal").await
    {
        return declined("nothing was sealed", exit);
    }
    let Some(names) = unless_interrupted(names(&session, &plan)).await else { return stopped() };
    let progress = Progress::new("{bar:30} {pos} of {len} done{pace}");
    progress.expect(plan.resources.len() as u64);
    let tally = Tally::new(names, manner);
    let on_advance = |advance| {
        if let Advance::Ended(id, result) = advance {
            progress.advance();
            tally.add(&ResourceLine::of_look(&id, &result), Exit::from(&result));
        }
    };
    let applied = apply(&session.ctx, plan.resources, concurrency, session.config.deadline, on_advance);
    let ended = unless_interrupted(applied).await;
    drop(progress);
    tally.close();
    match ended {
        Some(Ok(())) => tally.worst(),
        Some(Err(error)) => failed(&error),
        None => stopped(),
    }
}

/// The names of the subscriptions of a plan.
async fn names(session: &Session, plan: &Plan) -> Names {
    let ids: Vec<_> = plan.resources.iter().map(|one| one.id.clone()).collect();
    Names::of_ids(session, &ids).await
}

async fn revert(session: Session, plan: Plan, yes: bool, concurrency: usize, manner: Manner) -> Exit {
    // The tags by which the resources were sealed, whatever the settings are now.
    let tags = match Config::for_command(&|name| plan.settings.get(name).cloned().flatten()) {
        Ok(config) => config.policy.tags,
        Err(faults) => {
            complain(&format!("nothing was reverted: the plan's settings: {faults}"), Exit::Usage);
            return Exit::Usage;
        }
    };
    let text = "Anyone with a URL from `grant-access` will be able to read this data without signing in. No exemption is \
                written: a handler or sweep that enforces seals it again.\n";
    if !yes
        && !plan.resources.is_empty()
        && let Err(exit) = question(&plan).confirmed(text, "Revert").await
    {
        return declined("nothing was reverted", exit);
    }
    let Some(names) = unless_interrupted(names(&session, &plan)).await else { return stopped() };
    let progress = Progress::new("{bar:30} {pos} of {len} done{pace}");
    progress.expect(plan.resources.len() as u64);
    let tally = Tally::new(names, manner);
    let on_end = |(id, result)| {
        progress.advance();
        tally.add(&ResourceLine::of_revert(&id, &result), Exit::from(&result));
    };
    let reverted =
        revert_all(&session.ctx, plan.resources, &tags, concurrency, session.config.deadline, on_end);
    let ended = unless_interrupted(reverted).await;
    drop(progress);
    tally.close();
    match ended {
        Some(()) => tally.worst(),
        None => stopped(),
    }
}

fn question(plan: &Plan) -> Question {
    let mut question = Question::default();
    plan.resources.iter().for_each(|one| question.add(&one.id));
    question
}

fn seconds(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
