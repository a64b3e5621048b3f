//! Output bindings: the queue messages that the host creates from a reply.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    app::{Binding, Function},
    json::Token,
    reply::{Answer, Failure},
};
use crate::queue::{Encoding, QueueAccount};

/// Puts the outputs of a reply on their queues, one after the other. Outputs without a binding are ignored, as are
/// bindings without an output. What was put before a failure stays.
pub(super) async fn bind(
    function: &Function,
    answer: &Answer,
    account: &QueueAccount,
    encoding: Encoding,
) -> Result<(), Failure> {
    for binding in function.outputs.iter().filter(|binding| binding.kind == "queue") {
        let Some(queue_name) = &binding.queue_name else { continue };
        let failed = |error: &dyn std::fmt::Display| Failure::Output(binding.name.clone(), error.to_string());
        let queue = account.queue(queue_name).map_err(|error| failed(&error))?;
        for content in contents(function, binding, answer).map_err(|error| failed(&error))? {
            queue.put(encoding.encode(&content)).await.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// The contents of the messages of one binding. Unless the function has a binding `$return`, a return value that is
/// an object stands in for the outputs of its members' names (`WorkerFunctionInvoker`).
fn contents(
    function: &Function,
    binding: &Binding,
    answer: &Answer,
) -> Result<Vec<Vec<u8>>, super::json::JsonError> {
    if binding.name == "$return" {
        return messages(answer.return_value.clone().with_dates(), binding.binary);
    }
    let has_return = function.outputs.iter().any(|other| other.name == "$return");
    if let Some(value) = answer.return_value.get(&binding.name).filter(|_| !has_return) {
        // A member of the object is no text yet, so nothing is guessed.
        return Ok(elements(value.clone().with_dates()).iter().map(content).collect());
    }
    let output = answer.outputs.iter().find(|(name, _)| *name == binding.name);
    output.map_or(Ok(Vec::new()), |(_, value)| messages(value.clone().with_dates(), binding.binary))
}

/// The contents of the messages of an output (`HttpScriptInvocationResultExtensions`, `FunctionBinding`).
fn messages(value: Token, binary: bool) -> Result<Vec<Vec<u8>>, super::json::JsonError> {
    if let Token::Text(text) = &value {
        // The host guesses base64: most short words without punctuation match.
        if let Some(bytes) = base64_guess(text).filter(|_| !binary) {
            return Ok(vec![bytes]);
        }
        // A text that looks like JSON counts as that value, and must be one.
        if Token::looks_like_json(text) {
            let parsed = Token::read(text)?.with_dates();
            return Ok(elements(parsed).iter().map(content).collect());
        }
    }
    Ok(elements(value).iter().map(content).collect())
}

/// One message for each element of an array.
fn elements(value: Token) -> Vec<Token> {
    match value {
        Token::Null => Vec::new(),
        Token::Array(elements) => elements,
        other => vec![other],
    }
}

/// `JToken.ToString()`: an object has indentation, `true` is `True`, and null is an empty message.
fn content(value: &Token) -> Vec<u8> {
    value.display().into_bytes()
}

/// `Convert.FromBase64String`, which ignores white space.
fn base64_guess(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|letter| !matches!(letter, ' ' | '\t' | '\r' | '\n')).collect();
    STANDARD.decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn texts(value: &Value) -> Vec<String> {
        let messages = messages(Token::from(value).with_dates(), false).unwrap();
        messages.into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    #[test]
    fn objects_are_one_message_and_arrays_one_each() {
        assert_eq!(texts(&json!({ "a": 1 })), ["{\n  \"a\": 1\n}"]);
        let mixed =
            json!([{ "a": 1 }, "two", null, 5, true, [1], "abcd", "{\"x\":1}", "2026-11-24T01:02:03.500Z"]);
        let expected = [
            "{\n  \"a\": 1\n}",
            "two",
            "",
            "5",
            "True",
            "[\n  1\n]",
            "abcd",
            "{\"x\":1}",
            "11/24/2026 01:02:03",
        ];
        assert_eq!(texts(&mixed), expected);
        assert_eq!(texts(&json!(r#"["x",{"a":1},null]"#)), ["x", "{\n  \"a\": 1\n}", ""]);
        assert_eq!(texts(&Value::Null), [""; 0]);
    }

    #[test]
    fn texts_that_look_like_base64_are_decoded_and_objects_indented() {
        assert_eq!(messages(Token::Text("ab cd\n".to_owned()), false).unwrap(), [vec![0x69, 0xb7, 0x1d]]);
        assert_eq!(texts(&json!("abcd!")), ["abcd!"]);
        assert_eq!(texts(&json!(r#"{"k":1}"#)), ["{\n  \"k\": 1\n}"]);
        assert!(messages(Token::Text("{bad}".to_owned()), false).is_err());
        assert_eq!(messages(Token::Text("abcd".to_owned()), true).unwrap(), [b"abcd".to_vec()]);
        assert_eq!(texts(&json!("2026-11-24T01:02:03.500Z")), ["11/24/2026 01:02:03"]);
    }

    #[test]
    fn times_in_an_object_keep_their_instant() {
        let object =
            json!({ "seven": "2026-11-24T01:02:03.1234500Z", "nine": "2026-11-24T01:02:03.123450000Z" });
        let text = texts(&object).remove(0);
        let stored: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(stored["seven"], "2026-11-24T01:02:03.12345Z");
        assert_eq!(stored["nine"], object["nine"]);
    }
}
