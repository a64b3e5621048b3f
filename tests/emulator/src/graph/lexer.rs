//! The tokens of a query.

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Name(String),
    Text(String),
    Number(u64),
    /// One or two symbols, such as `|` and `=~`.
    Sign(&'static str),
}

/// Longer symbols come before their prefixes.
const SIGNS: [&str; 13] = ["==", "!=", "=~", "!~", "=", "!", "~", "|", ",", "(", ")", ".", "["];

/// The tokens of a text, or the part that is invalid.
pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if first == '\'' || first == '"' {
            let (inside, after) =
                rest[1..].split_once(first).ok_or_else(|| format!("unclosed text at {}", near(rest)))?;
            words.push(Word::Text(inside.to_owned()));
            rest = after;
        } else if first.is_ascii_alphanumeric() || first == '_' || first == '$' {
            let end =
                rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '$');
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            words.push(word.parse().map_or_else(|_| Word::Name(word.to_owned()), Word::Number));
            rest = after;
        } else if let Some(after) = rest.strip_prefix(']') {
            words.push(Word::Sign("]"));
            rest = after;
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| format!("cannot read {}", near(rest)))?;
            words.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

fn near(rest: &str) -> String {
    format!("'{}'", rest.chars().take(20).collect::<String>())
}
