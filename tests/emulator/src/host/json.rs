//! JSON as the Functions host reads and writes it: by Newtonsoft.Json, which is more lenient than the standard, and
//! writes numbers and dates anew.
//!
//! The rules are those of Newtonsoft.Json 13 (`JsonTextReader`, `JsonTextWriter`, `DateTimeUtils`, `JValue`), as the
//! recordings of the host's code show them. The host's time zone is UTC.

mod date;
mod read;
mod write;

use serde_json::Value;

use self::date::Date;
pub(super) use self::date::ticks;

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} at character {1}")]
pub(super) struct JsonError(&'static str, usize);

/// A value, with members in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Null,
    Bool(bool),
    /// A whole number of any size, as it is written.
    Integer(String),
    Float(f64),
    Text(String),
    Date(Date),
    Array(Vec<Token>),
    Object(Vec<(String, Token)>),
}

impl Token {
    /// The depth at which Newtonsoft.Json stops by default.
    pub(super) const DEPTH: usize = 64;

    /// The depth at which the formatter of HTTP replies stops (`FormattingUtilities.DefaultMaxDepth`).
    pub(super) const DEPTH_OF_REPLIES: usize = 256;

    /// Reads a whole text. White space and comments may follow the value.
    pub(super) fn read(text: &str) -> Result<Self, JsonError> {
        read::whole(text, Self::DEPTH)
    }

    /// Reads the first value of a text, and does not look at what follows; none if there is only white space.
    pub(super) fn read_first(text: &str) -> Result<Option<Self>, JsonError> {
        read::first(text, Self::DEPTH_OF_REPLIES)
    }

    /// The value in which each text that has the form of a date is a date, as Newtonsoft.Json reads it by default.
    /// Names of members stay.
    pub(super) fn with_dates(self) -> Self {
        match self {
            Self::Text(text) => Date::read(&text).map_or(Self::Text(text), Self::Date),
            Self::Array(elements) => Self::Array(elements.into_iter().map(Self::with_dates).collect()),
            Self::Object(members) => {
                Self::Object(members.into_iter().map(|(name, value)| (name, value.with_dates())).collect())
            }
            other => other,
        }
    }

    /// The member of an object with exactly this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Adds a member to an object; one of the same name is replaced at its place.
    pub(super) fn set(members: &mut Vec<(String, Self)>, name: impl Into<String>, value: Self) {
        let name = name.into();
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => members.push((name, value)),
        }
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// `Utility.IsJson` of the host: the text looks like an object or an array, whatever is inside.
    pub(super) fn looks_like_json(text: &str) -> bool {
        let text = text.trim();
        (text.starts_with('{') && text.ends_with('}')) || (text.starts_with('[') && text.ends_with(']'))
    }
}

impl From<&Value> for Token {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => Self::Float(float),
                _ => Self::Integer(number.to_string()),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(elements) => Self::Array(elements.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

impl From<&Token> for Value {
    /// The value as a reader of what the host writes gets it.
    fn from(token: &Token) -> Self {
        match token {
            Token::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), Self::from(value))).collect()
            }
            Token::Array(elements) => elements.iter().map(Self::from).collect(),
            Token::Text(text) => Self::String(text.clone()),
            scalar => serde_json::from_str(&scalar.compact()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
