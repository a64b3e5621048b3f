//! A tag of the seal: a fixed value, or a template that is filled when the seal is written.

use leon::Template;

use crate::resource::tags::{self, TagError};

/// The keys that a template may name.
pub(super) const TEMPLATE_KEYS: [&str; 3] = ["sealed_at", "event_time", "trace_id"];

/// One tag of the seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRule {
    name: String,
    template: String,
    is_fixed: bool,
}

/// Why a tag of the seal cannot be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagRuleError {
    /// Azure would refuse it.
    #[error(transparent)]
    Azure(#[from] TagError),
    /// The template does not parse.
    #[error("the template of tag {name:?} cannot be read: {fault}")]
    Template {
        /// The tag's name.
        name: String,
        /// What the parser says.
        fault: String,
    },
    /// The template names a key that does not exist.
    #[error(
        "the template of tag {name:?} names {key:?}; allowed are {{sealed_at}}, {{event_time}} and {{trace_id}}"
    )]
    Key {
        /// The tag's name.
        name: String,
        /// The key that does not exist.
        key: String,
    },
}

impl TagRule {
    /// A tag of the seal; in `template`, `{sealed_at}`, `{event_time}` and `{trace_id}` are filled
    /// when the seal is written.
    pub fn new(name: &str, template: &str) -> Result<Self, TagRuleError> {
        tags::check_name(name)?;
        let name = name.to_owned();
        let is_fixed = match Template::parse(template) {
            Err(error) => {
                return Err(TagRuleError::Template { name, fault: error.to_string().replace('\n', " ") });
            }
            Ok(parsed) => {
                let mut keys = parsed.keys().copied().peekable();
                let is_fixed = keys.peek().is_none();
                if let Some(key) = keys.find(|key| !TEMPLATE_KEYS.contains(key)) {
                    return Err(TagRuleError::Key { name, key: key.to_owned() });
                }
                is_fixed
            }
        };
        // The longest that each key can become, so that a full template is never refused by Azure.
        let longest = TEMPLATE_KEYS.map(|key| (key, "x".repeat(32)));
        let rule = Self { name, template: template.to_owned(), is_fixed };
        tags::check_value(&rule.name, &rule.value(&longest))?;
        Ok(rule)
    }

    /// The tag's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value as it was set, with its keys unfilled.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The tag's value, with the template's keys filled.
    pub fn value(&self, filling: &[(&str, String); TEMPLATE_KEYS.len()]) -> String {
        // `new` has parsed the template and knows its keys, so the template itself is never written.
        Template::parse(&self.template)
            .ok()
            .and_then(|template| template.render(filling).ok())
            .unwrap_or_else(|| self.template.clone())
    }

    /// Whether `value` is right for this tag: the same text for a fixed one, any text for a
    /// template, whose value is written once and then stands.
    pub fn accepts(&self, value: &str, filling: &[(&str, String); TEMPLATE_KEYS.len()]) -> bool {
        if self.is_fixed { self.value(filling) == value } else { !value.is_empty() }
    }

    /// The one right value, if it does not depend on the occasion.
    pub fn fixed(&self) -> Option<String> {
        let nothing = TEMPLATE_KEYS.map(|key| (key, String::new()));
        self.is_fixed.then(|| self.value(&nothing))
    }

    /// Whether the value tells of one seal, so that a new seal writes it anew.
    pub fn is_of_the_seal(&self) -> bool {
        !self.is_fixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling() -> [(&'static str, String); 3] {
        [("sealed_at", "S".into()), ("event_time", "E".into()), ("trace_id", "T".into())]
    }

    #[test]
    fn templates_are_filled_and_checked_when_they_are_made() {
        let rule = TagRule::new("t", "{sealed_at}/{event_time}/{trace_id}").unwrap();
        assert_eq!(rule.value(&filling()), "S/E/T");
        assert!(matches!(TagRule::new("t", "{who}"), Err(TagRuleError::Key { .. })));
        assert!(matches!(TagRule::new("t", "{sealed_at"), Err(TagRuleError::Template { .. })));
        assert!(matches!(TagRule::new("a/b", "x"), Err(TagRuleError::Azure(_))));
        assert!(matches!(TagRule::new("t", &"v".repeat(257)), Err(TagRuleError::Azure(_))));
        let almost = format!("{}{{trace_id}}", "v".repeat(240));
        assert!(matches!(TagRule::new("t", &almost), Err(TagRuleError::Azure(_))));
    }

    #[test]
    fn a_fixed_value_must_be_equal_and_a_written_template_stands() {
        let fixed = TagRule::new("t", "v").unwrap();
        assert!(fixed.accepts("v", &filling()) && !fixed.accepts("V", &filling()));
        let template = TagRule::new("t", "{sealed_at}").unwrap();
        assert!(template.accepts("written long ago", &filling()) && !template.accepts("", &filling()));
    }
}
