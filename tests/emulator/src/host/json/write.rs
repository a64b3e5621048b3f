//! `JsonTextWriter`, and `JToken.ToString()`.

use std::fmt::Write as _;

use super::Token;

impl Token {
    /// Without white space.
    pub(in super::super) fn compact(&self) -> String {
        let mut out = String::new();
        write(self, None, &mut out);
        out
    }

    /// `JToken.ToString()`: objects and arrays with indentation, a scalar as .NET writes it in the invariant culture.
    pub(in super::super) fn display(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Integer(digits) => digits.clone(),
            Self::Float(value) => float(*value),
            Self::Text(text) => text.clone(),
            Self::Date(date) => date.invariant(),
            Self::Array(_) | Self::Object(_) => {
                let mut out = String::new();
                write(self, Some(0), &mut out);
                out
            }
        }
    }
}

fn write(token: &Token, depth: Option<usize>, out: &mut String) {
    match token {
        Token::Null => out.push_str("null"),
        Token::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Token::Integer(digits) => out.push_str(digits),
        // `FloatFormatHandling.String`.
        Token::Float(value) if !value.is_finite() => quote(&float(*value), out),
        Token::Float(value) => {
            let text = float(*value);
            let is_whole = !text.contains(['.', 'E']);
            out.push_str(&text);
            out.push_str(if is_whole { ".0" } else { "" });
        }
        Token::Text(text) => quote(text, out),
        Token::Date(date) => quote(&date.iso(), out),
        Token::Array(elements) => {
            let items = elements.iter().map(|element| (None, element));
            enclose(['[', ']'], items, depth, out);
        }
        Token::Object(members) => {
            let items = members.iter().map(|(name, value)| (Some(name.as_str()), value));
            enclose(['{', '}'], items, depth, out);
        }
    }
}

fn enclose<'a>(
    brackets: [char; 2],
    items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Token)>,
    depth: Option<usize>,
    out: &mut String,
) {
    let inner = depth.map(|depth| depth + 1).filter(|_| items.len() > 0);
    out.push(brackets[0]);
    for (at, (name, value)) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        new_line(inner, out);
        if let Some(name) = name {
            quote(name, out);
            out.push_str(if inner.is_some() { ": " } else { ":" });
        }
        write(value, inner, out);
    }
    if inner.is_some() {
        new_line(depth, out);
    }
    out.push(brackets[1]);
}

fn new_line(depth: Option<usize>, out: &mut String) {
    if let Some(depth) = depth {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    }
}

/// Escapes what must be, and the line ends U+0085, U+2028 and U+2029.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// `Double.ToString()` of .NET: the shortest digits, with an exponent from 1E+15 and below 1E-04.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..15 => value.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}E{sign}{:02}", exponent.unsigned_abs())
        }
    }
}
