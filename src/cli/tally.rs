//! The lines of a sweep, their numbers, and how it ends.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::{
    answer::explained,
    resource_line::{Names, ResourceLine},
    session::{Exit, complain, note, say},
};
use crate::{
    arm, enforce,
    estate::Survey,
    report::{Counts, Gap},
    sweep::Error,
};

/// How a command prints what becomes of resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// JSON Lines on standard output, and nothing else there.
    pub(super) is_json: bool,
    /// Whether to list what there is nothing to do about, too.
    pub(super) is_verbose: bool,
}

/// Prints a line for each resource as it comes, and keeps the numbers alone.
pub(super) struct Tally {
    names: Names,
    manner: Manner,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    words: BTreeMap<&'static str, usize>,
    in_audit: usize,
    worst: Exit,
}

impl Tally {
    pub(super) fn new(names: Names, manner: Manner) -> Self {
        Self { names, manner, state: Mutex::default() }
    }

    /// Prints a line and counts it.
    pub(super) fn add(&self, line: &ResourceLine, exit: Exit) {
        self.list(line);
        let mut state = self.state.lock();
        if line.is_in_audit() {
            state.in_audit += 1;
        } else {
            *state.words.entry(line.word()).or_default() += 1;
        }
        state.worst = state.worst.max(exit);
    }

    /// Prints a line that others count, unless there is nothing to do about its resource.
    pub(super) fn list(&self, line: &ResourceLine) {
        if self.manner.is_verbose || !line.is_settled() {
            line.print(&self.names, self.manner.is_json);
        }
    }

    /// The highest exit code.
    pub(super) fn worst(&self) -> Exit {
        self.state.lock().worst
    }

    /// Prints the numbers of a plan that was applied or reverted, or of a sweep that was stopped.
    pub(super) fn close(&self) {
        let parts = self.parts();
        if !parts.is_empty() {
            self.finish(&format!("{}.", parts.join(", ")));
        }
    }

    /// Prints the numbers of a whole sweep. `survey` has what the listing alone decided.
    pub(super) fn close_sweep(&self, survey: &Survey, is_audit: bool) {
        let (parts, left) = (self.parts(), left(survey));
        // What a look has sealed is not among those that were sealed before; what it found sealed is.
        let sealed = survey.sealed();
        self.finish(&match (parts.is_empty(), is_audit) {
            (true, _) if is_settled(survey) => sentence("Nothing to seal", &settled(survey, sealed)),
            (true, _) => sentence("Nothing was sealed", &[left, before(sealed)].concat()),
            (false, true) => {
                let all = [parts, left].concat().join(", ");
                format!("Audit mode: {all}. Nothing was written.")
            }
            (false, false) => format!("{}.", [parts, left, before(sealed)].concat().join(", ")),
        });
    }

    /// Prints the numbers of a dry run.
    pub(super) fn close_dry_run(&self, survey: &Survey) {
        let parts = self.parts();
        let left = left(survey);
        if parts.is_empty() && is_settled(survey) {
            return self.finish(&sentence("Nothing to seal", &settled(survey, survey.sealed())));
        }
        let parts = if parts.is_empty() { vec!["nothing would be sealed".to_owned()] } else { parts };
        self.finish(&format!("Dry run: {}. Nothing was written.", [parts, left].concat().join(", ")));
    }

    /// `7 sealed`, `1 not yet`, what was done first.
    fn parts(&self) -> Vec<String> {
        let state = self.state.lock();
        let place = |word: &str| ORDER.iter().position(|known| *known == word).unwrap_or(ORDER.len());
        let mut words: Vec<_> = state.words.iter().collect();
        words.sort_by_key(|(word, _)| place(word));
        let shown = |word: &'static str| if word == "would seal" { "would be sealed" } else { word };
        let words = words.into_iter().map(|(word, count)| format!("{count} {}", shown(word)));
        let in_audit = (state.in_audit > 0).then(|| format!("{} in the ring audit", state.in_audit));
        words.chain(in_audit).collect()
    }

    fn finish(&self, summary: &str) {
        if self.manner.is_json { note(summary) } else { say(summary) }
    }
}

/// The order of the numbers: what was done, what would be, what was not, and why.
const ORDER: [&str; 12] = [
    "sealed",
    "network sealed",
    "tagged",
    "reverted",
    "would seal",
    "would revert",
    "not yet",
    "not sealed",
    "not reverted",
    "drifted",
    "failed",
    "unknown",
];

/// Whether there is nothing to do, as far as everything in scope is known.
fn is_settled(survey: &Survey) -> bool {
    survey.counts.pending + survey.protected + survey.unreadable + survey.unread + survey.gaps.len() == 0
}

/// What the listing alone decided, without zeros.
fn left(survey: &Survey) -> Vec<String> {
    let Counts { exempt, pending, .. } = survey.counts;
    let settled = match (exempt, pending) {
        (0, 0) => None,
        (0, pending) => Some(format!("{pending} not yet")),
        (exempt, 0) => Some(format!("{exempt} exempt")),
        (exempt, pending) => Some(format!("{} exempt or not yet", exempt + pending)),
    };
    let known = survey.protected - survey.doubtful;
    let guarded = [
        (known, "protected by a vault"),
        (survey.doubtful, "not known to be unprotected, because vaults cannot be read"),
    ];
    let guarded = guarded.into_iter().filter(|(count, _)| *count > 0);
    let guarded = guarded.map(|(count, what)| format!("{count} {what}"));
    settled.into_iter().chain(guarded).chain(unread(survey)).collect()
}

/// What the listing has and nobody can judge.
fn unread(survey: &Survey) -> Vec<String> {
    let all = [(survey.unreadable, "unreadable in the listing"), (survey.unread, "not read")];
    let all = all.into_iter().filter(|(count, _)| *count > 0);
    let all = all.map(|(count, what)| format!("{count} {what}"));
    all.chain((!survey.gaps.is_empty()).then(|| "part of the scope could not be read".to_owned())).collect()
}

/// What there is nothing to do about.
fn settled(survey: &Survey, sealed: usize) -> Vec<String> {
    let all = [(sealed, "sealed"), (survey.counts.exempt, "exempt")];
    let all = all.into_iter().filter(|(count, _)| *count > 0);
    all.map(|(count, what)| format!("{count} {what}")).collect()
}

fn before(sealed: usize) -> Vec<String> {
    if sealed == 0 { vec![] } else { vec![format!("{sealed} sealed before")] }
}

fn sentence(verdict: &str, parts: &[String]) -> String {
    if parts.is_empty() { format!("{verdict}.") } else { format!("{verdict}: {}.", parts.join(", ")) }
}

/// The numbers of a plan of this many resources, which is in this file.
pub(super) fn planned(survey: &Survey, count: usize, file: &str) -> String {
    let first =
        if count == 0 { "nothing would be sealed".to_owned() } else { format!("{count} would be sealed") };
    let all = [vec![first], left(survey)].concat().join(", ");
    format!("Plan: {all}. Written to {file}; nothing was written to Azure.")
}

/// Names what could not be read; the rest was swept.
pub(super) fn show_gaps(survey: &Survey) -> Exit {
    for Gap { what, why } in &survey.gaps {
        complain(&format!("not read: {what}: {why}"), Exit::NotAll);
    }
    if survey.gaps.is_empty() { Exit::Done } else { Exit::NotAll }
}

pub(super) fn failed(error: &Error) -> Exit {
    match error {
        Error::Exceeded(_) | Error::SwitchedOff => {
            complain(&error.to_string(), Exit::NotAll);
            Exit::NotAll
        }
        Error::Arm(error) | Error::Scope(enforce::Error::Arm(error)) => failed_at(error),
        Error::Scope(error) => {
            let exit = Exit::from(error);
            complain(&error.whole(), exit);
            exit
        }
    }
}

/// Prints why Azure could not be asked, and what to do about it.
pub(super) fn failed_at(error: &arm::Error) -> Exit {
    let exit = Exit::from(&enforce::Error::from(error.clone()));
    complain(&explained(error), exit);
    exit
}
