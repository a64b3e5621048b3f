//! Expressions over the columns of a row.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// A row of a table.
pub(crate) type Row = Map<String, Value>;

/// Anything with columns, even if it is not a row yet: most rows of a large table are only filtered.
pub(crate) trait Columns {
    /// A column; null if it does not exist.
    fn column(&self, name: &str) -> Cow<'_, Value>;

    /// All columns.
    fn row(&self) -> Row;
}

impl Columns for Row {
    fn column(&self, name: &str) -> Cow<'_, Value> {
        Cow::Borrowed(self.get(name).unwrap_or(&Value::Null))
    }

    fn row(&self) -> Row {
        self.clone()
    }
}

/// A computed value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A column, or a member of one.
    Path(Vec<String>),
    Literal(Value),
    Call(Function, Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// Whether the first is among the others; the flag makes it case-sensitive.
    In(Box<Expression>, Vec<Expression>, bool),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    ToText,
    ToLower,
    ToUpper,
    IsNull,
    IsEmpty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    EqualInAnyCase,
    Contains,
    StartsWith,
    EndsWith,
}

impl Expression {
    pub(super) fn of(&self, row: &impl Columns) -> Value {
        match self {
            Self::Path(names) => {
                let (first, members) = names.split_first().map_or(("", &[][..]), |(one, rest)| (one, rest));
                let column = row.column(first);
                members
                    .iter()
                    .fold(column.as_ref(), |value, name| value.get(name).unwrap_or(&Value::Null))
                    .clone()
            }
            Self::Literal(value) => value.clone(),
            Self::Call(function, argument) => function.of(&argument.of(row)),
            Self::Compare(comparison, left, right) => json!(comparison.holds(&left.of(row), &right.of(row))),
            Self::In(left, others, exact) => {
                let comparison = if *exact { Comparison::Equal } else { Comparison::EqualInAnyCase };
                let left = left.of(row);
                json!(others.iter().any(|other| comparison.holds(&left, &other.of(row))))
            }
            Self::Not(inner) => json!(!inner.holds(row)),
            Self::And(left, right) => json!(left.holds(row) && right.holds(row)),
            Self::Or(left, right) => json!(left.holds(row) || right.holds(row)),
        }
    }

    pub(super) fn holds(&self, row: &impl Columns) -> bool {
        self.of(row) == json!(true)
    }

    /// The column's default name.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            // A member of a column is named by its whole path.
            Self::Path(names) => Some(names.join("_")),
            _ => None,
        }
    }
}

impl Function {
    pub(super) fn named(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "tostring" => (Self::ToText, true),
            "tolower" => (Self::ToLower, true),
            "toupper" => (Self::ToUpper, true),
            "isnull" => (Self::IsNull, true),
            "isnotnull" => (Self::IsNull, false),
            "isempty" => (Self::IsEmpty, true),
            "isnotempty" => (Self::IsEmpty, false),
            _ => return None,
        })
    }

    fn of(self, value: &Value) -> Value {
        match self {
            Self::ToText => json!(text(value)),
            Self::ToLower => json!(text(value).to_lowercase()),
            Self::ToUpper => json!(text(value).to_uppercase()),
            Self::IsNull => json!(value.is_null()),
            Self::IsEmpty => json!(text(value).is_empty()),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let (left, right) = (text(left), text(right));
        let (low, right_low) = (left.to_lowercase(), right.to_lowercase());
        match self {
            Self::Equal => left == right,
            Self::EqualInAnyCase => low == right_low,
            Self::Contains => low.contains(&right_low),
            Self::StartsWith => low.starts_with(&right_low),
            Self::EndsWith => low.ends_with(&right_low),
        }
    }
}

/// A value as text; null is empty.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
