//! Output bindings: the queue messages that the host creates from a reply.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{app::Function, reply::Failure};
use crate::queue::{Encoding, QueueAccount};

/// Puts the outputs of a reply on their queues. Outputs without a binding are ignored, as are bindings
/// without an output.
pub(super) async fn bind(
    function: &Function,
    outputs: &Map<String, Value>,
    return_value: &Value,
    account: &QueueAccount,
    encoding: Encoding,
) -> Result<(), Failure> {
    for binding in function.outputs.iter().filter(|binding| binding.kind == "queue") {
        let value = if binding.name == "$return" { Some(return_value) } else { outputs.get(&binding.name) };
        let Some(queue_name) = &binding.queue_name else { continue };
        let Some(value) = value else { continue };
        let failed = |error: &dyn std::fmt::Display| Failure::Output(binding.name.clone(), error.to_string());
        let queue = account.queue(queue_name).map_err(|error| failed(&error))?;
        for content in messages(value, binding.binary) {
            queue.put(encoding.encode(&content)).await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// The contents of the messages of an output.
fn messages(value: &Value, binary: bool) -> Vec<Vec<u8>> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(elements) => elements.iter().filter(|element| !element.is_null()).map(content).collect(),
        Value::String(text) => {
            // The host guesses base64: most short words without punctuation match.
            if let Some(bytes) = base64_guess(text).filter(|_| !binary) {
                return vec![bytes];
            }
            // Text that contains a JSON array counts as the array.
            match serde_json::from_str(text) {
                Ok(Value::Array(elements)) => elements.iter().filter(|e| !e.is_null()).map(content).collect(),
                _ => vec![text.clone().into_bytes()],
            }
        }
        other => vec![content(other)],
    }
}

fn content(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        // Newtonsoft's ToString indents.
        other => serde_json::to_vec_pretty(other).unwrap_or_default(),
    }
}

/// `Convert.FromBase64String`, which ignores white space.
fn base64_guess(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '\r' | '\n')).collect();
    STANDARD.decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(value: &Value) -> Vec<String> {
        messages(value, false).into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn objects_are_one_message_and_arrays_one_each() {
        assert_eq!(texts(&json!({ "a": 1 })), ["{\n  \"a\": 1\n}"]);
        assert_eq!(texts(&json!([{ "a": 1 }, "two", null, "abcd"])), ["{\n  \"a\": 1\n}", "two", "abcd"]);
        assert_eq!(texts(&json!(r#"["x",{"a":1}]"#)), ["x", "{\n  \"a\": 1\n}"]);
        assert_eq!(texts(&Value::Null), [""; 0]);
    }

    #[test]
    fn strings_that_look_like_base64_are_decoded() {
        assert_eq!(messages(&json!("abcd"), false), [vec![0x69, 0xb7, 0x1d]]);
        assert_eq!(texts(&json!("abcd!")), ["abcd!"]);
        assert_eq!(texts(&json!(r#"{"k":1}"#)), [r#"{"k":1}"#]);
        assert_eq!(messages(&json!("abcd"), true), [b"abcd".to_vec()]);
    }
}
