//! The confirmation that a command asks for before it writes.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, Write},
};

use super::{
    interrupt::{stopped_with, unless_interrupted},
    output::above_bar,
    session::{Exit, complain},
};
use crate::{resource_id::ResourceId, text::escaped_lines};

/// Maximum number of resources that the question lists by name.
const NAMED_MAX: usize = 10;

/// The resources that a command would write.
#[derive(Debug, Default)]
pub(super) struct Plan {
    first: Vec<ResourceId>,
    by_subscription: BTreeMap<String, usize>,
}

impl Plan {
    pub(super) fn add(&mut self, id: &ResourceId) {
        if self.first.len() < NAMED_MAX {
            self.first.push(id.clone());
        }
        *self.by_subscription.entry(id.subscription_id().to_ascii_lowercase()).or_default() += 1;
    }

    pub(super) fn of(ids: &[ResourceId]) -> Self {
        let mut plan = Self::default();
        for id in ids {
            plan.add(id);
        }
        plan
    }

    fn count(&self) -> usize {
        self.by_subscription.values().sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Asks on the terminal whether to apply `verb` (`Seal`) to all of them.
    ///
    /// # Errors
    /// The answer was no, or Ctrl-C: how the command ends.
    pub(super) async fn confirmed(self, note: &str, verb: &'static str) -> Result<(), Exit> {
        confirmed(self.text(note, verb)).await
    }

    fn text(&self, note: &str, verb: &str) -> String {
        let count = self.count();
        let noun = if count == 1 { "resource" } else { "resources" };
        format!("{self}{note}{verb} {count} {noun}? [y/N] ")
    }
}

/// Reports that a command did nothing, because the answer was no or Ctrl-C.
pub(super) fn declined(what: &str, exit: Exit) -> Exit {
    if exit == Exit::Interrupted {
        return stopped_with(what);
    }
    complain(what, exit);
    exit
}

/// Asks a question on the terminal.
///
/// # Errors
/// The answer was no, or Ctrl-C: how the command ends.
pub(super) async fn confirmed(text: String) -> Result<(), Exit> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait at its end for a read that no longer matters.
    std::thread::spawn(move || {
        let answer = ask(&text, &mut std::io::stdin().lock(), &mut std::io::stderr());
        // Nobody waits for it after Ctrl-C.
        let _ = sender.send(answer);
    });
    match unless_interrupted(answer).await {
        Some(Ok(true)) => Ok(()),
        Some(_) => Err(Exit::NotAll),
        None => {
            // The cursor stands behind the question.
            above_bar(|| {
                let _ = writeln!(std::io::stderr());
            });
            Err(Exit::Interrupted)
        }
    }
}

/// Asks, and accepts only `y` or `yes` as consent.
fn ask(text: &str, answer: &mut dyn BufRead, question: &mut dyn Write) -> bool {
    let asked = write!(question, "{}", escaped_lines(text));
    let mut line = String::new();
    asked.and_then(|()| question.flush()).and_then(|()| answer.read_line(&mut line)).is_ok()
        && ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.iter().try_for_each(|id| writeln!(f, "  {id}"))?;
        let more = self.count() - self.first.len();
        if more > 0 {
            writeln!(f, "  … and {more} more")?;
        }
        let counts = self.by_subscription.iter();
        counts.into_iter().try_for_each(|(id, count)| writeln!(f, "{count} in subscription {id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(count: usize) -> Plan {
        let id = |n: usize| {
            format!(
                "/subscriptions/{}1111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d{n}",
                n % 2
            )
        };
        Plan::of(&(0..count).map(|n| id(n).parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, expected) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("no\n", false), ("yep\n", false)]
        {
            let mut question = vec![];
            let text = plan(1).text("The note.\n", "Unseal");
            assert_eq!(ask(&text, &mut answer.as_bytes(), &mut question), expected);
            let question = String::from_utf8(question).unwrap();
            assert!(question.contains("disks/d0\n"), "{question}");
            assert!(question.ends_with("The note.\nUnseal 1 resource? [y/N] "), "{question}");
        }
    }

    #[test]
    fn ten_are_named_and_all_are_counted() {
        let text = plan(13).to_string();
        assert_eq!(text.matches("/disks/").count(), 10, "{text}");
        for line in ["  … and 3 more\n", "7 in subscription 01111111-", "6 in subscription 11111111-"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
