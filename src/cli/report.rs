//! `diskseal report`: shows how much of the scope is sealed, what is not, and why.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode, sync::LazyLock};

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};

use super::{
    flags,
    installation::{self, Reach},
    queue,
    session::{self, Exit, Session, complain, print, progress, say},
};
use crate::{
    arm,
    azure::http_client,
    doctor, estate,
    policy::EXPIRING_WITHIN_DAYS,
    report::{Ink, PoisonQueue, Report, Run, Source, csv, html, json, table},
};

static EXPIRING_WITHIN: LazyLock<String> = LazyLock::new(|| EXPIRING_WITHIN_DAYS.to_string());

pub(super) fn command() -> Command {
    Command::new("report")
        .about("Report what is sealed, what is not and why, and which exemptions end soon")
        .long_about(
            "Read every managed disk and snapshot in scope, using the handler's own rules, and write nothing to Azure. \
             The report shows coverage by subscription, kind, location and reason; lists every exempt resource with \
             its reason, its last day and the value of its tag `owner`; and names what could not be read.",
        )
        .after_help(
            "Examples:\n  \
             diskseal report\n  \
             diskseal report --output html --file coverage.html\n  \
             diskseal report --output csv | head\n  \
             diskseal report --output json | jq -r '.exceptions[] | select(.status == \"unsealed\") | .id' | diskseal seal\n  \
             diskseal report --expiring-within 90 --exempt-tag diskseal-exempt\n\n\
             Exit codes: 0 everything is sealed or exempt, 1 something is not or could not be read, 2 invalid \
             arguments or settings, 3 Azure could not be reached.",
        )
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["table", "json", "csv", "html"]))
                .default_value("table")
                .help("Output format; html is one self-contained page, csv lists the exceptions"),
        )
        .arg(
            Arg::new("file")
                .long("file")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Write the report to this file instead of standard output"),
        )
        .arg(
            Arg::new("expiring-within")
                .long("expiring-within")
                .value_name("DAYS")
                .value_parser(value_parser!(u16))
                .default_value(EXPIRING_WITHIN.as_str())
                .help("Warn of exemptions that end within this many days"),
        )
        .arg(
            Arg::new("exact")
                .long("exact")
                .action(ArgAction::SetTrue)
                .help("List each subscription instead of querying Resource Graph, which can lag"),
        )
}

/// The options of the command line.
struct Wish {
    output: String,
    file: Option<PathBuf>,
    expiring_within: u16,
    source: Source,
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let wish = Wish {
        output: matches.get_one::<String>("output").cloned().unwrap_or_default(),
        file: matches.get_one::<PathBuf>("file").cloned(),
        expiring_within: matches.get_one("expiring-within").copied().unwrap_or_default(),
        source: if matches.get_flag("exact") { Source::Lists } else { Source::Graph },
    };
    let is_colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    session::run(matches, Reach::Reads, |session| report(session, wish, is_colourless))
}

async fn report(session: Session, wish: Wish, is_colourless: bool) -> Exit {
    let taken = tokio::select! {
        taken = inventory(&session, &wish) => taken,
        _ = tokio::signal::ctrl_c() => return fail("interrupted; no report was written", Exit::NotAll),
    };
    let report = match taken {
        Ok(mut report) => {
            if let Some(queue) = poison_queue(&session).await {
                report.set_poison_queue(queue);
            }
            report
        }
        Err(error) => return fail(&error.to_string(), Exit::Unreachable),
    };
    let is_coloured = wish.file.is_none() && std::io::stdout().is_terminal() && !is_colourless;
    let text = match written(&report, &wish.output, is_coloured) {
        Ok(text) => text,
        Err(fault) => return fail(&fault, Exit::NotAll),
    };
    // The table lists the gaps itself.
    if wish.output != "table" || wish.file.is_some() {
        for gap in report.gaps() {
            fail(&format!("not read: {}: {}", gap.what, gap.why), Exit::NotAll);
        }
    }
    match wish.file {
        None => print(text.as_bytes()),
        Some(path) => match std::fs::write(&path, text) {
            Ok(()) => say(&format!("{} {}", report.verdict(), path.display())),
            Err(fault) => return fail(&format!("{}: {fault}", path.display()), Exit::Usage),
        },
    }
    if report.is_clean() { Exit::Done } else { Exit::NotAll }
}

async fn inventory(session: &Session, wish: &Wish) -> Result<Report, arm::Error> {
    let ctx = &session.ctx;
    let run = Run {
        taken_at: ctx.now(),
        identity: ctx.arm.identity().object_id(session.terms()).await?,
        scope: ctx.policy.scope.clone(),
        source: wish.source,
        expiring_within: wish.expiring_within,
    };
    let progress = progress("{bar:30} {pos} of {len} read");
    let on_page = |read: usize, all: Option<usize>| {
        progress.set_length(all.unwrap_or(read) as u64);
        progress.set_position(read as u64);
    };
    estate::inventory(&ctx.arm, &ctx.guard, &ctx.policy, run, session.config.deadline, on_page).await
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
    Some(match doctor::poison(&http, &service, &identity, session.config.deadline).await {
        Ok(Some(poison)) => PoisonQueue::Read { messages: poison.messages, oldest: poison.oldest },
        Ok(None) => PoisonQueue::Read { messages: 0, oldest: None },
        Err(error) => PoisonQueue::Unread(error.to_string()),
    })
}

fn written(report: &Report, output: &str, is_coloured: bool) -> Result<String, String> {
    match output {
        "json" => json(report).map_err(|fault| fault.to_string()),
        "csv" => csv(report).map_err(|fault| fault.to_string()),
        "html" => Ok(html(report)),
        _ => Ok(table(report, if is_coloured { Ink::Coloured } else { Ink::Plain })),
    }
}

fn fail(fault: &str, exit: Exit) -> Exit {
    complain(fault, exit);
    exit
}
