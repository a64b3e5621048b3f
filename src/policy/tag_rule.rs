//! A tag of the seal: a fixed value, or a template that is filled when the seal is written.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::NamedBy;
use crate::resource::tags::{self, TagError};

/// The keys that a template may name.
pub(super) const TEMPLATE_KEYS: [&str; 4] = ["sealed_at", "event_time", "trace_id", TRIGGER];
/// The key for what first named the resource.
const TRIGGER: &str = "trigger";
/// Stands before the time in `{sealed_at}` of a resource that had the mode at the first look, which is the time of
/// that look.
pub(super) const BEFORE: &str = "before ";

/// One tag of the seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRule {
    name: String,
    template: String,
    parts: Vec<Part>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Key(&'static str),
}

/// Why a tag of the seal is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagRuleError {
    /// Azure would refuse it.
    #[error(transparent)]
    Azure(#[from] TagError),
    /// The template has an unmatched brace.
    #[error("the value of tag {0:?} has an unmatched brace: braces enclose a key, as in {{sealed_at}}")]
    Brace(String),
    /// The template names a key that does not exist.
    #[error(
        "the value of tag {name:?} names the key {key:?}; the keys are sealed_at, event_time, \
         trace_id and trigger"
    )]
    Key {
        /// The tag's name.
        name: String,
        /// The unknown key.
        key: String,
    },
}

impl TagRule {
    /// A tag of the seal; in `template`, `{sealed_at}`, `{event_time}`, `{trace_id}` and `{trigger}` are filled
    /// when the seal is written.
    pub fn new(name: &str, template: &str) -> Result<Self, TagRuleError> {
        tags::check_name(name)?;
        let parts = parts(name, template)?;
        // The longest value of each key, so that Azure never refuses a filled template.
        let longest = TEMPLATE_KEYS.map(|key| (key, "x".repeat(32)));
        let rule = Self { name: name.to_owned(), template: template.to_owned(), parts };
        tags::check_value(&rule.name, &rule.value(&longest))?;
        Ok(rule)
    }

    /// The tag's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as it was set, with its keys.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The tag's value, with the template filled.
    pub fn value(&self, filling: &[(&str, String); TEMPLATE_KEYS.len()]) -> String {
        let value = |key| filling.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str());
        let text = |part| match part {
            &Part::Key(key) => value(key),
            Part::Text(text) => Some(text.as_str()),
        };
        self.parts.iter().filter_map(text).collect()
    }

    /// Whether `value` is right for this tag: the same text for a fixed value, any text for a
    /// template, whose value is written once and then kept.
    pub fn accepts(&self, value: &str, filling: &[(&str, String); TEMPLATE_KEYS.len()]) -> bool {
        if self.is_template() { !value.is_empty() } else { self.value(filling) == value }
    }

    /// The time of the seal from a value that this rule wrote, if the rule has no other key.
    pub(super) fn sealed_at<'a>(&self, value: &'a str) -> Option<&'a str> {
        self.only(TEMPLATE_KEYS[0], value)
    }

    /// The text in place of this key, if the rule has no other key.
    fn only<'a>(&self, name: &str, value: &'a str) -> Option<&'a str> {
        match self.parts.as_slice() {
            [Part::Text(before), Part::Key(key), Part::Text(after)] if *key == name => {
                value.strip_prefix(before.as_str())?.strip_suffix(after.as_str())
            }
            _ => None,
        }
    }

    /// Whether the value names what led to the seal. Such a tag is written with a new seal only: of a resource that has
    /// the mode already nobody knows what named it first, so the tag is never missing there.
    pub fn names_trigger(&self) -> bool {
        self.parts.contains(&Part::Key(TRIGGER))
    }

    /// What first named the resource, from a value that this rule wrote, if the rule has no other key.
    pub fn named_by(&self, value: &str) -> Option<NamedBy> {
        NamedBy::of(self.only(TRIGGER, value)?)
    }

    /// The fixed value, if the rule is not a template.
    pub fn fixed(&self) -> Option<String> {
        let nothing = TEMPLATE_KEYS.map(|key| (key, String::new()));
        (!self.is_template()).then(|| self.value(&nothing))
    }

    /// Whether a seal with this rule can have written the value. Any other is somebody else's.
    pub fn has_written(&self, value: &str) -> bool {
        if let Some(fixed) = self.fixed() {
            return fixed == value;
        }
        match self.parts.as_slice() {
            [_, Part::Key(key), _] => self.only(key, value).is_some_and(|text| is_of(key, text)),
            parts => fits(parts, value),
        }
    }

    /// Whether the value has keys. Such a value describes one seal, so a new seal writes it again.
    pub fn is_template(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Key(_)))
    }
}

/// Whether a text can be the value of a key.
fn is_of(key: &str, text: &str) -> bool {
    let is_time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).is_ok();
    let [sealed_at, event_time, _, trigger] = TEMPLATE_KEYS;
    match key {
        _ if key == sealed_at => is_time(text.strip_prefix(BEFORE).unwrap_or(text)),
        _ if key == event_time => is_time(text),
        _ if key == trigger => NamedBy::of(text).is_some(),
        _ => !text.is_empty(),
    }
}

/// Whether the texts of a template are in a value, in order, with something in place of each key.
fn fits(parts: &[Part], value: &str) -> bool {
    let mut rest = value;
    let mut is_after_key = false;
    for part in parts {
        match part {
            Part::Key(_) => is_after_key = true,
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => {
                let start = usize::from(is_after_key);
                let Some(at) = rest.get(start..).and_then(|rest| rest.find(text.as_str())) else {
                    return false;
                };
                if !is_after_key && at > 0 {
                    return false;
                }
                rest = &rest[start + at + text.len()..];
                is_after_key = false;
            }
        }
    }
    is_after_key != rest.is_empty()
}

fn parts(name: &str, template: &str) -> Result<Vec<Part>, TagRuleError> {
    let unmatched = || TagRuleError::Brace(name.to_owned());
    let mut parts = vec![];
    for (index, piece) in template.split('{').enumerate() {
        let text = if index == 0 {
            piece
        } else {
            let (key, text) = piece.split_once('}').ok_or_else(unmatched)?;
            let known = TEMPLATE_KEYS.into_iter().find(|known| *known == key.trim());
            let unknown = || TagRuleError::Key { name: name.to_owned(), key: key.to_owned() };
            parts.push(Part::Key(known.ok_or_else(unknown)?));
            text
        };
        if text.contains('}') {
            return Err(unmatched());
        }
        parts.push(Part::Text(text.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling() -> [(&'static str, String); 4] {
        [
            ("sealed_at", "S".into()),
            ("event_time", "E".into()),
            ("trace_id", "T".into()),
            ("trigger", "sweep".into()),
        ]
    }

    #[test]
    fn templates_are_filled_and_checked_when_they_are_made() {
        let rule = TagRule::new("t", "{sealed_at}/{event_time}/{trace_id}/{trigger}").unwrap();
        assert_eq!(rule.value(&filling()), "S/E/T/sweep");
        assert!(rule.names_trigger() && rule.named_by("S/E/T/sweep").is_none());
        let by = TagRule::new("t", "by {trigger}.").unwrap();
        assert_eq!(by.named_by(&by.value(&filling())), Some(NamedBy::Sweep));
        assert_eq!([by.named_by("by night."), by.named_by("sweep")], [None, None]);
        assert!(matches!(TagRule::new("t", "{who}"), Err(TagRuleError::Key { .. })));
        for template in ["{sealed_at", "sealed_at}", "{{sealed_at}}", "{sealed_at}}", "{sealed_at{trace_id}}"]
        {
            assert!(TagRule::new("t", template).is_err(), "{template}");
        }
        assert_eq!(TagRule::new("t", r"a\b { sealed_at }!").unwrap().value(&filling()), r"a\b S!");
        assert!(matches!(TagRule::new("a/b", "x"), Err(TagRuleError::Azure(_))));
        assert!(matches!(TagRule::new("t", &"v".repeat(257)), Err(TagRuleError::Azure(_))));
        let almost = format!("{}{{trace_id}}", "v".repeat(240));
        assert!(matches!(TagRule::new("t", &almost), Err(TagRuleError::Azure(_))));
    }

    #[test]
    fn only_what_a_seal_can_have_written_is_its_own() {
        for (template, value, expected) in [
            ("v", "v", true),
            ("v", "w", false),
            ("{sealed_at}", "2026-11-27T00:00:00Z", true),
            ("{sealed_at}", "before 2026-11-27T00:00:00Z", true),
            ("{sealed_at}", "yesterday", false),
            ("at {event_time}", "at 2026-11-27T00:00:00Z", true),
            ("at {event_time}", "2026-11-27T00:00:00Z", false),
            ("{trigger}", "sweep", true),
            ("{trigger}", "jane", false),
            ("{trace_id}", "none", true),
            ("{trace_id}", "", false),
            ("{trigger} at {sealed_at}!", "sweep at 2026!", true),
            ("{trigger} at {sealed_at}!", "sweep at 2026", false),
            ("x{trigger} at {sealed_at}", "sweep at 2026", false),
            ("{trigger}{sealed_at}", "sweep", true),
            ("{trigger} at {sealed_at}", " at é", false),
        ] {
            assert_eq!(
                TagRule::new("t", template).unwrap().has_written(value),
                expected,
                "{template} {value}"
            );
        }
    }

    #[test]
    fn a_fixed_value_must_be_equal_and_a_written_template_stands() {
        let fixed = TagRule::new("t", "v").unwrap();
        assert!(fixed.accepts("v", &filling()) && !fixed.accepts("V", &filling()));
        let template = TagRule::new("t", "{sealed_at}").unwrap();
        assert!(template.accepts("written long ago", &filling()) && !template.accepts("", &filling()));
    }
}
