//! The handler's command line: `arguments` of host.json as one text, which .NET splits again.

use std::collections::BTreeMap;

use serde_json::Value;

/// The elements of `arguments` or `workerArguments`. An app setting that overrides it holds the array as a text
/// (`HttpWorkerOptionsSetup.GetArgumentList`).
pub(super) fn listed(value: &Value) -> Vec<String> {
    let parsed;
    let elements = match value {
        Value::Array(elements) => elements,
        Value::String(text) => {
            parsed = serde_json::from_str::<Vec<Value>>(text).unwrap_or_default();
            &parsed
        }
        _ => return Vec::new(),
    };
    elements.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `DefaultWorkerProcessFactory` joins the arguments by blanks, without quotes, and replaces each `%NAME%`, by nothing
/// if it is unknown; `Process.Start` then splits the text.
pub(super) fn command_line(arguments: &[String], environment: &BTreeMap<String, String>) -> Vec<String> {
    let expanded =
        arguments.iter().map(|argument| expand(argument, |name| environment.get(name).cloned(), ""));
    split(&expanded.collect::<Vec<_>>().join(" "))
}

/// The executable's path, in which an unknown `%NAME%` stays.
pub(super) fn path(text: &str, environment: &BTreeMap<String, String>) -> String {
    expand(text, |name| environment.get(name).cloned(), "%")
}

/// `mark` is what encloses an unknown name; with an empty mark the name goes as well.
fn expand(text: &str, value: impl Fn(&str) -> Option<String>, mark: &str) -> String {
    let parts: Vec<_> = text.split('%').collect();
    let mut expanded = String::new();
    for (at, part) in parts.iter().enumerate() {
        let is_name = at % 2 == 1 && at + 1 < parts.len();
        match (is_name, value(part)) {
            (true, Some(value)) => expanded += &value,
            (true, None) if mark.is_empty() => {}
            (true, None) => expanded.extend([mark, part, mark]),
            (false, _) if at % 2 == 1 => expanded.extend(["%", part]),
            (false, _) => expanded += part,
        }
    }
    expanded
}

/// `ParseArgumentsIntoList` of .NET: quotes group, and a backslash escapes a quote.
fn split(text: &str) -> Vec<String> {
    let (mut arguments, mut current) = (Vec::new(), None::<String>);
    let mut in_quotes = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let mut count = 1;
                while letters.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let current = current.get_or_insert_default();
                if letters.peek() == Some(&'"') {
                    current.push_str(&"\\".repeat(count / 2));
                    if count % 2 == 1 {
                        letters.next();
                        current.push('"');
                    }
                } else {
                    current.push_str(&"\\".repeat(count));
                }
            }
            '"' => {
                current.get_or_insert_default();
                in_quotes = !in_quotes;
            }
            ' ' | '\t' if !in_quotes => arguments.extend(current.take()),
            letter => current.get_or_insert_default().push(letter),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The recording `process/arguments.json` of the host's code.
    #[test]
    fn arguments_are_joined_without_quotes_and_split_again() {
        let environment =
            [("X1", "va lue"), ("Q", "q\"q")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let given = json!(["serve", "a b", "%X1%", "%NOPE%", "%Q%", "--x=\"y z\"", ""]);
        let expected = ["serve", "a", "b", "va", "lue", "qq --x=y", "z "];
        assert_eq!(command_line(&listed(&given), &environment), expected);
        assert_eq!(path("bin/%X1%/%NOPE%", &environment), "bin/va lue/%NOPE%");
        assert_eq!(split(r#"a\b \"c\" "d\\" 100%"#), ["a\\b", "\"c\"", "d\\", "100%"]);
    }

    /// The recording `host/host-json-overrides.json`.
    #[test]
    fn an_app_setting_may_hold_the_arguments() {
        let given = json!(r#"["serve", "x y"]"#);
        assert_eq!(command_line(&listed(&given), &BTreeMap::new()), ["serve", "x", "y"]);
    }
}
