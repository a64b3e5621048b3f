//! Every exemption: what it covers, until when, why, who answers for it, and what is wrong with it.

use serde::Serialize;
use time::Date;

use super::{
    Entry, Run,
    exemption_tag::{ENDED, IN_FORCE},
    note::{Note, Word},
    row::Row,
    warning::{self, EXPIRING},
};
use crate::policy::{Defect, Exemption, Exemptions, Patterns, decide::Decision};

/// One exemption as every form of the report shows it. In JSON it is an element of `exemptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionRow {
    /// What it is: `subscription`, `resource_group`, `name`, `listed` or `tag`.
    pub kind: &'static str,
    /// The number of a listed one in the setting, from 1.
    pub number: Option<usize>,
    /// What it is for: globs, or the ID of a resource with a tag.
    pub covers: String,
    /// `in_force`, `ended` or `unreadable`.
    pub state: Word,
    /// Its last day, if it has one.
    pub until: Option<String>,
    /// Whole days until then.
    pub days_left: Option<i64>,
    /// Its reason, if it has one.
    pub reason: Option<String>,
    /// Who answers for it: of a tag, the owner tag of its resource.
    pub owner: Option<String>,
    /// How many resources are exempt because of it. A resource that several exempt counts once.
    pub resources: usize,
    /// What is wrong with it, or will be soon.
    pub findings: Vec<Note>,
}

/// The exemptions of the settings, and how many tags have which defect.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rules: Vec<ExemptionRow>,
    defects_of_tags: Vec<&'static str>,
}

impl Tally {
    pub(super) fn new(exemptions: &Exemptions, run: &Run) -> Self {
        let without_end = exemptions.demands.defects(None, None, run.taken_at);
        let of = |kind: &'static str, patterns: &Patterns| -> Vec<ExemptionRow> {
            let row = |glob: &str| ExemptionRow {
                kind,
                number: None,
                covers: glob.to_owned(),
                state: IN_FORCE.into(),
                until: None,
                days_left: None,
                reason: None,
                owner: None,
                resources: 0,
                findings: without_end.iter().map(warning::of_defect).collect(),
            };
            patterns.globs().map(row).collect()
        };
        let globs = [
            (Exemption::Subscription(String::new()).reason(), &exemptions.subscriptions),
            (Exemption::ResourceGroup(String::new()).reason(), &exemptions.resource_groups),
            (Exemption::Name(String::new()).reason(), &exemptions.names),
        ];
        let globs = globs.into_iter().flat_map(|(kind, patterns)| of(kind, patterns));
        let listed = exemptions.listed.0.iter().map(|one| {
            let lists = one
                .lists()
                .map(|(name, globs)| format!("{name}: {}", globs.globs().collect::<Vec<_>>().join(", ")));
            let ended = one.has_ended(run.taken_at);
            let defects = exemptions.demands.defects(Some(one.until), Some(&one.reason), run.taken_at);
            let findings = match run.ends_soon(one.until) {
                _ if ended => vec![warning::ended(one.until)],
                soon => soon
                    .map(|days| warning::expiring(one.until, days))
                    .into_iter()
                    .chain(defects.iter().map(warning::of_defect))
                    .collect(),
            };
            ExemptionRow {
                kind: LISTED,
                number: Some(one.number),
                covers: lists.collect::<Vec<_>>().join("; "),
                state: if ended { ENDED } else { IN_FORCE }.into(),
                until: Some(one.until.to_string()),
                days_left: Some(run.days_left(one.until)),
                reason: Some(one.reason.clone()),
                owner: one.owner.clone(),
                resources: 0,
                findings,
            }
        });
        Self { rules: globs.chain(listed).collect(), defects_of_tags: vec![] }
    }

    /// Counts a resource under the exemption that decides, and the defects of its tag.
    pub(super) fn add(&mut self, entry: &Entry) {
        for defect in &entry.defects {
            let word = defect.reason();
            if !self.defects_of_tags.contains(&word) {
                self.defects_of_tags.push(word);
            }
        }
        let Decision::Exempt(exemption) = &entry.decision else { return };
        let decides = |rule: &&mut ExemptionRow| match exemption {
            Exemption::Subscription(glob) | Exemption::ResourceGroup(glob) | Exemption::Name(glob) => {
                rule.kind == exemption.reason() && rule.covers == *glob
            }
            Exemption::Listed { number, .. } => rule.number == Some(*number),
            Exemption::OutOfScope | Exemption::Tag { .. } => false,
        };
        if let Some(rule) = self.rules.iter_mut().find(decides) {
            rule.resources += 1;
        }
    }

    /// Whether any exemption has this defect.
    pub(super) fn has(&self, word: &str) -> bool {
        self.defects_of_tags.contains(&word) || self.has_rule(word)
    }

    /// Whether an exemption of the settings ends soon, whether it covers anything or not.
    pub(super) fn ends_soon(&self) -> bool {
        self.has_rule(EXPIRING)
    }

    fn has_rule(&self, word: &str) -> bool {
        self.rules.iter().any(|rule| rule.findings.iter().any(|finding| finding.reason == word))
    }

    /// The exemptions of the settings, in their order.
    pub(super) fn rules(&self) -> impl Iterator<Item = &ExemptionRow> {
        self.rules.iter()
    }
}

/// The exemption by the tag of a resource, if it has one.
pub(super) fn of_tag(row: Row, run: &Run) -> Option<ExemptionRow> {
    let tag = row.exemption_tag?;
    let is_about_it = |note: &Note| TAG_FINDINGS.contains(&note.reason.as_ref());
    let until = tag.until.as_deref().and_then(super::row::day);
    Some(ExemptionRow {
        kind: TAG,
        number: None,
        covers: row.id,
        // Another exemption may come first, and a tag that does not count covers nothing.
        resources: usize::from(row.reason == TAG),
        state: tag.state,
        days_left: until.map(|until: Date| run.days_left(until)),
        until: tag.until,
        reason: tag.reason,
        owner: row.owner,
        findings: row.warnings.into_iter().filter(is_about_it).collect(),
    })
}

/// The word of [`Exemption::Tag`].
const TAG: &str = "tag";
/// The word of [`Exemption::Listed`].
const LISTED: &str = "listed";
/// The findings of a resource that are about its exemption tag.
const TAG_FINDINGS: [&str; 5] =
    [EXPIRING, warning::ENDED, warning::UNREADABLE, Defect::TOO_LONG, Defect::WITHOUT_TICKET];
