//! The cases are of the recordings of the host's code.

use super::*;

fn anew(text: &str) -> String {
    Token::read(text).unwrap().with_dates().compact()
}

#[test]
fn numbers_are_written_anew() {
    for (number, expected) in [
        ("1.10", "1.1"),
        ("1e3", "1000.0"),
        ("1E400", "\"Infinity\""),
        ("NaN", "\"NaN\""),
        ("1.7976931348623157e308", "1.7976931348623157E+308"),
        ("1.0000000000000000000001", "1.0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("9007199254740993", "9007199254740993"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("0x10", "16"),
        ("012", "10"),
        ("1e15", "1E+15"),
        ("0.0001", "0.0001"),
        ("0.00001", "1E-05"),
    ] {
        assert_eq!(anew(number), expected, "{number}");
    }
}

#[test]
fn dates_are_written_anew() {
    for (date, expected) in [
        ("2026-02-01T18:38:04.610000Z", "2026-02-01T18:38:04.61Z"),
        ("2026-02-01T18:38:04.0000000Z", "2026-02-01T18:38:04Z"),
        ("2026-02-01T20:38:04.5+02:00", "2026-02-01T18:38:04.5+00:00"),
        ("2026-02-01T24:00:00Z", "2026-02-02T00:00:00Z"),
        ("/Date(1764072000000)/", "2025-11-25T12:00:00Z"),
    ] {
        assert_eq!(anew(&format!("\"{date}\"")), format!("\"{expected}\""));
    }
    for other in [
        "2026-02-01T18:38:04.12345678Z",
        "2026-02-01",
        "2026-02-01 18:38:04Z",
        "2026-02-01t18:38:04z",
        "2026-06-30T23:59:60Z",
        "2026-02-01T18:38Z",
        "2026-02-30T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "2026-02-01T18:38:04",
    ] {
        assert_eq!(anew(&format!("\"{other}\"")), format!("\"{other}\""));
    }
    let date = Token::read("\"2026-11-24T01:02:03.4567891+02:00\"").unwrap();
    assert_eq!(date.with_dates().display(), "11/23/2026 23:02:03");
}

#[test]
fn texts_are_escaped_as_the_host_does() {
    let text = "\"\\u0041\\/\\u0000\\b\\f\\ud800 \\u2028\\u007f<>&'\"";
    assert_eq!(anew(text), "\"A/\\u0000\\b\\f\u{fffd} \\u2028\u{7f}<>&'\"");
}

#[test]
fn more_than_json_is_read_and_less_than_anything() {
    assert_eq!(anew("/*c*/{'a':1,b:[1,],} // end"), r#"{"a":1,"b":[1]}"#);
    assert_eq!(anew(r#"{"a":1,"z":1,"a":2,"A":3}"#), r#"{"a":2,"z":1,"A":3}"#);
    for bad in ["", "{", "{bad}", "[1 2]", "hello", "{} x", "{}{}", "\"a", "{\"a\":}", "09", "1x"] {
        assert!(Token::read(bad).is_err(), "{bad}");
    }
    assert_eq!(Token::read_first("{} x").unwrap(), Some(Token::Object(Vec::new())));
    assert_eq!(Token::read_first("  ").unwrap(), None);
    let deep = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Token::read(&deep(64)).is_ok() && Token::read(&deep(65)).is_err());
}

#[test]
fn what_is_displayed_has_indentation() {
    let value = Token::read(r#"{"a":{},"l":[1,{"b":true}],"e":[]}"#).unwrap();
    let indented =
        "{\n  \"a\": {},\n  \"l\": [\n    1,\n    {\n      \"b\": true\n    }\n  ],\n  \"e\": []\n}";
    assert_eq!(value.display(), indented);
    assert_eq!(Token::Bool(true).display(), "True");
    assert_eq!(Token::Null.display(), "");
}
