//! Globs over names and IDs.

use std::str::FromStr;

use glob::{MatchOptions, Pattern, PatternError};
use serde::{Serialize, Serializer};

use crate::resource_id::folded;

/// Glob patterns. The comparison ignores case in every alphabet, as Azure does with names, and does not normalise texts
/// ([`folded`]). The ends of a range such as `[à-ö]` are compared without case as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Glob>);

/// A pattern, as it was written and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    text: String,
    folded: Pattern,
}

impl Patterns {
    /// The first pattern that matches.
    pub(super) fn matching(&self, text: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        // The crate ignores the case of ASCII letters alone.
        let options = MatchOptions { case_sensitive: false, ..MatchOptions::new() };
        let text = folded(text);
        let found = self.0.iter().find(|glob| glob.folded.matches_with(&text, options));
        found.map(|glob| glob.text.as_str())
    }

    /// Whether there is no pattern.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns, in their order.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|glob| glob.text.as_str())
    }

    /// These globs: `*`, `?`, `[a-z]`.
    pub(super) fn of<'a>(globs: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let glob = |text: &str| {
            let wrong = |error: PatternError| format!("{text:?} is not a glob: {}", error.msg);
            let folded = Pattern::new(&folded(text)).map_err(wrong)?;
            Ok(Glob { text: text.to_owned(), folded })
        };
        globs.map(glob).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Patterns {
    type Err = String;

    /// Comma-separated globs.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Self::of(list.split(',').map(str::trim).filter(|glob| !glob.is_empty()))
    }
}

impl Serialize for Patterns {
    /// A list of the globs as they were written.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.globs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_ignore_case_and_bad_ones_are_named() {
        let patterns: Patterns = "tmp-*, asr?-[0-9]".parse().unwrap();
        for (name, matched) in
            [("TMP-disk", true), ("asrX-7", true), ("asr-7", false), ("xtmp-disk", false), ("", false)]
        {
            assert_eq!(patterns.matching(name).is_some(), matched, "{name}");
        }
        let patterns: Patterns = "rg-übung-*,[à-ö]1,ΟΔΟΣ,café".parse().unwrap();
        for (name, matched) in [
            ("RG-ÜBUNG-1", Some("rg-übung-*")),
            ("Rg-Übung-", Some("rg-übung-*")),
            ("rg-ubung-1", None),
            ("É1", Some("[à-ö]1")),
            ("z1", None),
            ("οδος", Some("ΟΔΟΣ")),
            ("οδοσ", Some("ΟΔΟΣ")),
            ("CAFÉ", Some("café")),
            ("cafe\u{301}", None),
        ] {
            assert_eq!(patterns.matching(name), matched, "{name}");
        }
        let error = "fine,[z".parse::<Patterns>().unwrap_err();
        assert!(error.contains("[z"), "{error}");
    }
}
