//! `diskseal unseal`: the way back for single disks and snapshots, for a time and for a reason.

use std::{
    io::{BufRead, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use futures::{StreamExt, stream};
use time::Date;

use super::{
    ids,
    session::{self, Exit, Session, complain, say},
};
use crate::{
    config::Config,
    enforce::{ExemptionTag, Line, unseal},
    policy::TagExemption,
    resource_id::ResourceId,
};

/// How many resources are worked on at once. Few, so that Ctrl-C comes in time.
const CONCURRENCY: usize = 4;
/// How many resources the question names one by one.
const NAMED_MAX: usize = 20;

pub(super) fn command() -> Command {
    Command::new("unseal")
        .about("Takes the seal off single disks and snapshots, for a time and for a reason")
        .long_about(
            "Takes the seal off single disks and snapshots: sets dataAccessAuthMode to None and removes the seal's \
             tags. Before that it writes the exemption tag with the last day and the reason, so that the handler \
             and the sweep leave the resource alone through the end of that day, UTC, and then seal it again.\n\n\
             It needs the exemption tag to be switched on (DISKSEAL_EXEMPT_TAG), here and in the function app, \
             because otherwise the next event would seal the resource again at once. In audit mode it only says \
             what it would do. It can be run again after a stop at any point.",
        )
        .after_help(
            "Examples:\n  \
             diskseal unseal --until 2027-01-31 --reason \"INC-1234 restore test\" /subscriptions/…/disks/disk-1\n  \
             az disk list -g rg-restore --query [].id -o tsv | diskseal unseal --until 2027-01-31 --reason \"DR test\" \
             --yes\n\n\
             Exit codes: 0 all unsealed, 1 something is not, or the question was answered no, 2 wrong command line \
             or settings (nothing was tried), 3 Azure could not be reached.",
        )
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("YYYY-MM-DD")
                .required(true)
                .value_parser(|text: &str| TagExemption::day(text))
                .help("Last day without the seal, UTC"),
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .required(true)
                .help("Why; it is kept in the tag, for everybody to read"),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Does not ask. Needed where there is no terminal, or where the IDs come from standard input"),
        )
        .arg(ids::arg())
}

pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>, matches: &ArgMatches) -> ExitCode {
    let config = match Config::for_command(lookup) {
        Ok(config) => config,
        Err(faults) => return complain(&faults.to_string(), Exit::Usage),
    };
    let (Some(until), Some(reason)) = (matches.get_one::<Date>("until"), matches.get_one::<String>("reason"))
    else {
        return Exit::Usage.into();
    };
    let exemption = match ExemptionTag::new(&config.policy, *until, reason, session::now()) {
        Ok(exemption) => exemption,
        Err(fault) => return complain(&format!("nothing was unsealed: {fault}"), Exit::Usage),
    };
    let ids = match ids::read(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    if !matches.get_flag("yes") {
        let stdin = std::io::stdin();
        if !ids::are_given(matches) || !stdin.is_terminal() {
            let fault = "nothing was unsealed: there is no terminal to ask on; give --yes to go ahead without a question";
            return complain(fault, Exit::Usage);
        }
        if !is_confirmed(&ids, &exemption, &mut stdin.lock(), &mut std::io::stderr()) {
            return complain("nothing was unsealed", Exit::NotAll);
        }
    }
    session::run(lookup, |session| work(session, ids, exemption))
}

/// Asks, and takes nothing but a clear yes for one.
fn is_confirmed(
    ids: &[ResourceId],
    exemption: &ExemptionTag,
    answer: &mut dyn BufRead,
    question: &mut dyn Write,
) -> bool {
    let named = ids.iter().take(NAMED_MAX).map(|id| format!("  {id}\n"));
    let more = ids.len().checked_sub(NAMED_MAX).filter(|more| *more > 0);
    let text: String = named.chain(more.map(|more| format!("  … and {more} more\n"))).collect();
    let count = format!("{} resource{}", ids.len(), if ids.len() == 1 { "" } else { "s" });
    let asked = write!(
        question,
        "{text}Anyone with a URL from `grant-access` can read these data without signing in.\n\
         The tag will say: {exemption}\nUnseal {count}? [y/N] "
    );
    let mut line = String::new();
    asked.and_then(|()| question.flush()).and_then(|()| answer.read_line(&mut line)).is_ok()
        && ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}

async fn work(session: Session, ids: Vec<ResourceId>, exemption: ExemptionTag) -> Exit {
    let (session, exemption) = (&session, &exemption);
    let all = ids.len();
    let work = stream::iter(ids)
        .map(|id| async move {
            let result = unseal(&session.ctx, &id, exemption, session.config.deadline).await;
            (id, result)
        })
        .buffer_unordered(CONCURRENCY);
    let (mut worst, mut done) = (Exit::Done, 0);
    let all_done = work.for_each(|(id, result)| {
        say(&Line::of_unseal(&id, &result).to_string());
        worst = worst.max(Exit::from(&result));
        done += 1;
        std::future::ready(())
    });
    tokio::select! {
        () = all_done => return worst,
        _ = tokio::signal::ctrl_c() => {}
    }
    say(&format!(
        "stopped after {done} of {all}; what is not named above may be exempt already and is sealed, or unsealed and \
         exempt: run the same command again to go on"
    ));
    Exit::NotAll
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let lookup = |name: &str| (name == "DISKSEAL_EXEMPT_TAG").then(|| "diskseal-exempt".to_owned());
        let policy = Config::for_command(&lookup).unwrap().policy;
        let now = datetime!(2027-01-01 0:00 UTC);
        let exemption = ExemptionTag::new(&policy, date!(2027 - 01 - 31), "INC-1", now).unwrap();
        let id: ResourceId = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
            .parse()
            .unwrap();
        for (answer, expected) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("no\n", false), ("yep\n", false)]
        {
            let mut question = vec![];
            let ids = [id.clone()];
            assert_eq!(is_confirmed(&ids, &exemption, &mut answer.as_bytes(), &mut question), expected);
            let question = String::from_utf8(question).unwrap();
            assert!(question.contains("disks/d") && question.ends_with("Unseal 1 resource? [y/N] "));
            assert!(question.contains("until=2027-01-31; INC-1"), "{question}");
        }
    }
}
