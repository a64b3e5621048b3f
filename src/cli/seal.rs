//! `diskseal seal`: single disks and snapshots, by their IDs.

use std::{
    io::{BufRead, IsTerminal},
    process::ExitCode,
};

use clap::{Arg, ArgMatches, Command};
use futures::{StreamExt, stream};

use super::session::{self, Exit, Session, complain, say};
use crate::{
    enforce::{Error, Look, Outcome, Scope, enforce},
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
             --data-access-auth-mode AzureActiveDirectory` does, and the tags; snapshots are done the same.",
        )
        .after_help(
            "Examples:\n  \
             diskseal seal /subscriptions/…/providers/Microsoft.Compute/disks/disk-1\n  \
             az snapshot list --query [].id -o tsv | diskseal seal",
        )
        .arg(
            Arg::new("id")
                .value_name("ID")
                .num_args(0..)
                .help("Resource IDs of disks and snapshots. Without any they are read from standard input, one a line"),
        )
}

pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>, matches: &ArgMatches) -> ExitCode {
    let ids = match ids(matches) {
        Ok(ids) => ids,
        Err(fault) => return complain(&fault, Exit::Usage),
    };
    session::run(lookup, |session| seal(session, ids))
}

/// The IDs that are given, or those of standard input. One that is none is told before anything is tried.
fn ids(matches: &ArgMatches) -> Result<Vec<ResourceId>, String> {
    let given: Vec<String> = matches.get_many("id").unwrap_or_default().cloned().collect();
    let lines = if given.is_empty() {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Err("no IDs: give some, or send them to standard input, one a line".to_owned());
        }
        stdin.lock().lines().collect::<Result<_, _>>().map_err(|fault| format!("standard input: {fault}"))?
    } else {
        given
    };
    let mut faults = vec![];
    let mut ids: Vec<ResourceId> = vec![];
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        match line.parse() {
            Ok(id) if ids.contains(&id) => {}
            Ok(id) => ids.push(id),
            Err(fault) => faults.push(format!("{line:?}: {fault}")),
        }
    }
    if faults.is_empty() { Ok(ids) } else { Err(faults.join("\ndiskseal: ")) }
}

async fn seal(session: Session, ids: Vec<ResourceId>) -> Exit {
    let work = stream::iter(ids)
        .map(|resource| async {
            let look = Look { resource, event_time: None };
            let result = enforce(&session.ctx, &look, session.deadline()).await;
            (look.resource, result)
        })
        .buffer_unordered(CONCURRENCY);
    let mut worst = Exit::Done;
    let told = work.for_each(|(resource, result)| {
        say(&line(&resource, &result));
        worst = worst.max(exit(&result));
        std::future::ready(())
    });
    tokio::select! {
        () = told => worst,
        _ = tokio::signal::ctrl_c() => {
            say("stopped; what is not named above was not finished");
            Exit::NotAll
        }
    }
}

fn line(resource: &ResourceId, result: &Result<Outcome, Error>) -> String {
    match result {
        Ok(Outcome::Exempt(exemption)) => format!("exempt {resource}: {exemption}"),
        Ok(outcome) => format!("{} {resource}", outcome.label()),
        Err(error) => format!("{} {resource}: {error}", error.scope().label()),
    }
}

fn exit(result: &Result<Outcome, Error>) -> Exit {
    match result {
        Ok(Outcome::Sealed(_) | Outcome::AlreadySealed) => Exit::Done,
        Err(error) if error.scope() == Scope::System => Exit::Unreachable,
        Ok(_) | Err(_) => Exit::NotAll,
    }
}
