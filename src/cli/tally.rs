//! The outcomes of a sweep, and how it ends.

use std::collections::BTreeMap;

use super::session::{Exit, complain, say};
use crate::{
    enforce::{self, Line},
    estate::Survey,
    report::Gap,
    sweep::Error,
};

/// The number of resources with each outcome, and the highest exit code.
#[derive(Default)]
pub(super) struct Tally {
    outcomes: BTreeMap<(&'static str, Option<&'static str>), usize>,
    pub(super) worst: Exit,
}

impl Tally {
    pub(super) fn add(&mut self, line: &Line, exit: Exit) {
        *self.outcomes.entry((line.outcome, line.reason)).or_default() += 1;
        self.worst = self.worst.max(exit);
    }

    pub(super) fn show(&self) {
        for ((outcome, reason), count) in &self.outcomes {
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            say(&format!("{count:>8} {outcome}{reason}"));
        }
    }
}

/// Names what could not be read; the rest was swept.
pub(super) fn show_gaps(survey: &Survey) -> Exit {
    for Gap { what, why } in &survey.gaps {
        complain(&format!("not read: {what}: {why}"), Exit::NotAll);
    }
    if survey.gaps.is_empty() { Exit::Done } else { Exit::NotAll }
}

pub(super) fn failed(error: &Error) -> Exit {
    let exit = match error {
        Error::Exceeded(_) | Error::SwitchedOff => Exit::NotAll,
        Error::Arm(error) => Exit::from(&enforce::Error::from(error.clone())),
        Error::Scope(error) => Exit::from(error),
    };
    complain(&error.to_string(), exit);
    exit
}
