//! `diskseal report`: shows how much of the scope is sealed, what is not, and why.

mod since;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    sync::LazyLock,
};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use indicatif::HumanCount;

use super::{
    evidence, flags,
    help::Guide,
    installation::{self, Reach},
    interrupt::{stopped_with, unless_interrupted},
    narrowing,
    output::screen,
    progress::Progress,
    queue,
    session::{self, Exit, Session, complain, print, say},
    tally::failed_at,
};
use crate::{
    arm,
    azure::http_client,
    doctor, estate,
    function::POISON,
    policy::EXPIRING_WITHIN_DAYS,
    report::{
        Detail, Finding, Gap, PoisonQueue, Report, RestorePoints, Run, SINCE_DAYS, Source, csv, html, json,
        ocsf, table,
    },
    text::Screen,
};
use since::{DAYS_KEPT, Since, exports_days};

static EXPIRING_WITHIN: LazyLock<String> = LazyLock::new(|| EXPIRING_WITHIN_DAYS.to_string());
static FAIL_ON: LazyLock<String> = LazyLock::new(|| {
    format!(
        "End with exit code 1 if there is any of these, or a gap: {} [default: unsealed,pending,live-sas]",
        Finding::labels().join(", ")
    )
});
static SINCE: LazyLock<String> = LazyLock::new(|| format!("{SINCE_DAYS}d"));

pub(super) const GUIDE: Guide = Guide {
    examples: &[
        "diskseal report",
        "diskseal report --output html --file report.html",
        "diskseal report --output csv | head",
        "diskseal report --output json \\\n  \
         | jq -r '.exceptions[] | select(.status == \"unsealed\") | .id' \\\n  \
         | diskseal seal",
        "diskseal report --all --output csv --file inventory.csv",
        "diskseal report --fail-on unsealed,event-missed --since 7d",
        "diskseal report --exports 30d",
        "diskseal report --exemptions \\\n  --fail-on exempt-too-long,exempt-without-end",
        "diskseal report --expiring-within 90 --exempt-tag diskseal-exempt",
        "diskseal report --evidence https://ACCOUNT.blob.core.windows.net/evidence",
    ],
    exits: &[
        (0, "everything is sealed or exempt"),
        (1, "something is not, or is what --fail-on names, or could not be read"),
        (2, "invalid arguments or settings, or the output could not be written"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("report")
        .about("Report what is sealed, what is not, and why")
        .long_about(
            "Read every managed disk and snapshot in scope, using the handler's own rules, and write nothing to Azure. \
             The report shows coverage by subscription, kind, location and reason; lists every exempt resource with \
             its reason, its last day and the value of its owner tag (DISKSEAL_OWNER_TAG); maps what it finds to published controls; names new \
             resources that no event has sealed; and names what could not be read. With --all it lists every resource, and with --exemptions \
             every exemption: by a setting or by a tag, in force or ended.",
        )
        .add(GUIDE)
        .args(arguments())
        .args(narrowing::args())
}

fn arguments() -> Vec<Arg> {
    vec![
        installation::arg(),
        flags::all_subscriptions_arg(),
        Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["table", "wide", "json", "csv", "html", "ocsf"]))
                .default_value("table")
                .help("Output format")
                .long_help("Output format; wide is a table with full IDs, html is one self-contained page, csv lists the exceptions (or the exemptions, with --exemptions), ocsf has Compliance Findings"),
        Arg::new("file")
                .long("file")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Write the report to this file")
                .long_help("Write the report to this file instead of standard output; its extension (csv, json, html) is the format without --output"),
        Arg::new("expiring-within")
                .long("expiring-within")
                .value_name("DAYS")
                .value_parser(value_parser!(u16))
                .default_value(EXPIRING_WITHIN.as_str())
                .help("Warn of exemptions that end in this time")
                .long_help("Warn of exemptions that end within this many days"),
        Arg::new("since")
                .long("since")
                .value_name("DAYS|DATE")
                .value_parser(value_parser!(Since))
                .default_value(SINCE.as_str())
                .help("Start of the time-to-seal figures")
                .long_help("Report the time to seal of resources that were created since then"),
        Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("List every resource, unsealed ones first"),
        Arg::new("exemptions")
                .long("exemptions")
                .action(ArgAction::SetTrue)
                .help("List every exemption, with reason and end")
                .long_help("List every exemption, by a setting or by a tag, with its reason, end, owner and findings"),
        Arg::new("fail-on")
                .long("fail-on")
                .value_name("FINDING,...")
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(Finding::labels()))
                .hide_possible_values(true)
                .help("End with exit code 1 if there is any of these")
                .long_help(FAIL_ON.as_str()),
        Arg::new("restore-points")
                .long("restore-points")
                .action(ArgAction::SetTrue)
                .help("Count restore points, which no seal covers")
                .long_help("Count the restore points of virtual machines, which no seal covers, and who may get SAS URLs of them"),
        Arg::new("exports")
                .long("exports")
                .value_name("DAYS")
                .value_parser(exports_days)
                .help("Show who took SAS URLs in these days")
                .long_help("Read from the activity log who took SAS URLs in these days (at most 90d), and whom enforcement would break"),
        Arg::new("exact")
                .long("exact")
                .action(ArgAction::SetTrue)
                .help("List each subscription without Resource Graph")
                .long_help("List each subscription instead of querying Resource Graph, which can lag"),
        evidence::arg(),
    ]
}

/// The options of the command line.
struct Wish {
    output: String,
    file: Option<PathBuf>,
    expiring_within: u16,
    since: Since,
    source: Source,
    is_of_all: bool,
    lists_exemptions: bool,
    has_restore_points: bool,
    /// The number of days of exports.
    exports: Option<u16>,
    fail_on: Vec<Finding>,
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    if let Some(code) = evidence::run(matches) {
        return code;
    }
    let fail_on = matches.get_many::<String>("fail-on").map(|words| {
        let known = |word: &String| Finding::ALL.into_iter().find(|finding| finding.label() == word);
        words.filter_map(known).collect()
    });
    let wish = Wish {
        output: output(matches),
        file: matches.get_one::<PathBuf>("file").cloned(),
        expiring_within: matches.get_one("expiring-within").copied().unwrap_or_default(),
        since: matches.get_one("since").copied().unwrap_or(Since::Days(SINCE_DAYS)),
        source: if matches.get_flag("exact") { Source::Lists } else { Source::Graph },
        is_of_all: matches.get_flag("all"),
        lists_exemptions: matches.get_flag("exemptions"),
        has_restore_points: matches.get_flag("restore-points"),
        exports: matches.get_one("exports").copied(),
        fail_on: fail_on.unwrap_or_else(|| Finding::DEFAULT.to_vec()),
    };
    session::run(matches, Reach::Reads, |session| report(session, wish))
}

async fn report(session: Session, wish: Wish) -> Exit {
    let Some(taken) = unless_interrupted(Box::pin(inventory(&session, &wish))).await else {
        return stopped_with("no report was written");
    };
    let report = match taken {
        Ok(report) => report,
        Err(NotTaken::Azure(error)) => {
            failed_at(&error);
            return Exit::Unreachable;
        }
        Err(NotTaken::File(fault)) => return fail(&format!("a temporary file: {fault}"), Exit::Usage),
    };
    // The table lists the gaps itself.
    if !matches!(wish.output.as_str(), "table" | "wide") || wish.file.is_some() {
        for gap in report.gaps() {
            fail(&format!("not read: {}: {}", gap.what, gap.why), Exit::NotAll);
        }
    }
    // A file has no width.
    let screen = if wish.file.is_none() { screen() } else { Screen::default() };
    let (written, place) = match &wish.file {
        None => (write(&report, &wish.output, screen, Printed), "the report".to_owned()),
        Some(path) => {
            let written = File::create(path).and_then(|file| write(&report, &wish.output, screen, file));
            (written, path.display().to_string())
        }
    };
    if let Err(fault) = written {
        return fail(&format!("{place}: {fault}"), Exit::Usage);
    }
    if wish.file.is_some() {
        say(&wrote(&place, &report));
    }
    // What could not be read is never a success.
    let mut findings = wish.fail_on.iter().chain(&[Finding::Gap]);
    if findings.any(|finding| report.has(*finding)) { Exit::NotAll } else { Exit::Done }
}

/// The format that is given, or that of the file's extension.
fn output(matches: &ArgMatches) -> String {
    let given = matches.get_one::<String>("output").cloned().unwrap_or_default();
    let file = matches.get_one::<PathBuf>("file").filter(|_| !flags::is_given(matches, "output"));
    let extension = file.and_then(|file| file.extension()?.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("htm") => "html".to_owned(),
        Some(known @ ("csv" | "json" | "html")) => known.to_owned(),
        _ => given,
    }
}

/// `Wrote r.html: 262 resources, 8 not sealed.`
fn wrote(place: &str, report: &Report) -> String {
    let count = |number: usize| HumanCount(number as u64);
    let (all, open) = (report.totals().total(), report.totals().open());
    let noun = if all == 1 { "resource" } else { "resources" };
    let verdict = match open {
        0 if all == 0 => String::new(),
        0 => ", all sealed or exempt".to_owned(),
        open => format!(", {} not sealed", count(open)),
    };
    let gaps = if report.gaps().is_empty() { "" } else { "; part of the scope could not be read" };
    format!("Wrote {place}: {} {noun}{verdict}{gaps}.", count(all))
}

/// Why there is no report.
enum NotTaken {
    Azure(arm::Error),
    File(io::Error),
}

impl From<arm::Error> for NotTaken {
    fn from(error: arm::Error) -> Self {
        Self::Azure(error)
    }
}

async fn inventory(session: &Session, wish: &Wish) -> Result<Report, NotTaken> {
    let ctx = &session.ctx;
    let now = ctx.now();
    let run = Run {
        taken_at: now,
        identity: ctx.arm.identity().object_id(session.terms()).await.map_err(arm::Error::from)?,
        scope: ctx.policy.scope.clone(),
        source: wish.source,
        expiring_within: wish.expiring_within,
        since: wish.since.before(now),
        is_of_all: wish.is_of_all,
        portal: session.config.portal(),
    };
    let progress = Progress::new("{bar:30} {pos} of {len} read{pace}");
    let on_page = |read: usize, all: Option<usize>| {
        progress.expect(all.unwrap_or(read) as u64);
        progress.set(read as u64);
    };
    // The file has no name, and is gone with the process.
    let report = Report::new(run).stored_in(tempfile::tempfile().map_err(NotTaken::File)?);
    let report = if wish.lists_exemptions { report.with_exemptions() } else { report };
    let mut report = report.narrowed(ctx.options.selection.clone());
    let (time, policy) = (session.config.deadline, &ctx.policy);
    if let Some(days) = wish.exports {
        // The log refuses a start before the days that it keeps, and the request takes its time.
        let kept = time::Duration::days(DAYS_KEPT.into()) - time::Duration::minutes(10);
        let since = now.saturating_sub(time::Duration::days(days.into()).min(kept));
        let (exports, gaps) = estate::exports(&ctx.arm, &policy.scope, (since, now), time).await;
        for gap in gaps {
            report.add_gap(gap.what, gap.why);
        }
        report.set_exports(exports);
    }
    let mut report = estate::inventory(&ctx.arm, &ctx.guard, policy, report, time, on_page).await?;
    if wish.has_restore_points {
        let counted = estate::restore_points(&ctx.arm, &policy.scope, time).await;
        let (counted, gaps) =
            counted.unwrap_or_else(|error| (RestorePoints::Unread(error.to_string()), vec![]));
        for Gap { what, why } in gaps {
            report.add_gap(what, why);
        }
        if let RestorePoints::Unread(why) = &counted {
            report.add_gap("the restore points", why);
        }
        report.set_restore_points(counted);
    }
    if let Some(queue) = poison_queue(session).await {
        report.set_poison_queue(queue);
    }
    Ok(report)
}

/// Standard output, whose failures end the process with their own exit code.
struct Printed;

impl Write for Printed {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        print(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(report: &Report, output: &str, screen: Screen, to: impl Write) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(64 * 1024, to);
    match output {
        "json" => json(report, &mut to),
        "csv" => csv(report, &mut to),
        "html" => to.write_all(html(report)?.as_bytes()),
        "ocsf" => ocsf(report, &mut to),
        "wide" => table(report, screen, Detail::Wide, &mut to),
        _ => table(report, screen, Detail::Brief, &mut to),
    }?;
    to.flush()
}

/// What the poison queue holds, if the environment or the installation names the queue service.
async fn poison_queue(session: &Session) -> Option<PoisonQueue> {
    let http = http_client().ok()?;
    let own = std::env::var(queue::SETTING).ok().filter(|url| !url.trim().is_empty());
    let (service, identity) = match own {
        Some(url) => match queue::service(&url, &session.config.identity(), &http, session::now) {
            Ok(found) => found,
            Err(fault) => return Some(PoisonQueue::Unread(fault)),
        },
        None => session.queue_service(&http)?,
    };
    Some(match doctor::peek(&http, &service, POISON, &identity, session.config.deadline).await {
        Ok(Some(poison)) => PoisonQueue::Read { messages: poison.messages, oldest: poison.oldest() },
        Ok(None) => PoisonQueue::Read { messages: 0, oldest: None },
        Err(error) => PoisonQueue::Unread(error.to_string()),
    })
}

fn fail(fault: &str, exit: Exit) -> Exit {
    complain(fault, exit);
    exit
}
