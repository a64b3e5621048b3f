//! Text from outside, made safe to print.
//!
//! Whoever may write a tag, name a disk or answer in ARM's place must not be able to write a line of the log, to steer
//! a terminal, or to reverse how a line reads. Everything that is printed as text passes here: the log, the host's
//! `Logs`, the commands and the report's table. JSON, CSV and HTML have their own escaping.

mod layout;
mod table;
mod width;

use std::borrow::Cow;

pub use layout::{Column, Layout};
pub use table::{Row, Rows, Screen};

/// The text on one line: control characters, line ends and marks of direction are replaced by their escapes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    // Nearly every line is printable ASCII, which needs no table.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_active(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    Cow::Owned(line)
}

/// The same for a text of several lines, whose line feeds are our own.
pub fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// The longest line of a log, in bytes. A line about one resource has a few hundred.
const LINE_BYTES_MAX: usize = 4_096;

/// The text as one line of a log: escaped, and cut if it is too long.
pub fn line(text: &str) -> Cow<'_, str> {
    let short = cut(text, LINE_BYTES_MAX);
    if short.len() == text.len() { escaped(text) } else { Cow::Owned(format!("{}…", escaped(short))) }
}

/// The start of the text, of at most this many bytes.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Whether a terminal or a reader of lines acts on it instead of showing it: the control characters C0 (with line
/// ends and ESC), DEL and C1; the separators of lines and paragraphs; the marks, embeddings, overrides and isolates of
/// direction ("Unicode Bidirectional Algorithm", explicit directional formatting characters; "Trojan Source").
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_reader_is_escaped_and_every_other_text_is_kept() {
        for (text, expected) in [
            ("a\r\nsealed /x", r"a\r\nsealed /x"),
            ("\u{1b}[2J\u{7}\u{7f}\0\t", r"\u{1b}[2J\u{7}\u{7f}\u{0}\t"),
            ("\u{85}\u{9b}31m\u{9d}0;x", r"\u{85}\u{9b}31m\u{9d}0;x"),
            ("\u{61c}\u{200e}\u{200f}", r"\u{61c}\u{200e}\u{200f}"),
            ("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", r"\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}"),
            ("\u{2066}\u{2067}\u{2068}\u{2069}", r"\u{2066}\u{2067}\u{2068}\u{2069}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
        ] {
            assert_eq!(escaped(text), expected);
            assert_eq!(escaped(expected), expected, "a second time changes nothing");
        }
        let names = "Größe グループ กลุ่ม क्‍ष \\n 'x' \"y\" …";
        assert!(matches!(escaped(names), Cow::Borrowed(same) if same == names));
        assert_eq!(escaped_lines("a\n\u{1b}b\r\n"), "a\n\\u{1b}b\\r\n");
    }

    #[test]
    fn a_line_has_an_end() {
        let long = "ß\n".repeat(LINE_BYTES_MAX);
        let short = line(&long);
        assert!(short.len() < 2 * LINE_BYTES_MAX && short.ends_with("ß\\n…"), "{}", short.len());
        assert_eq!(line(&long[..LINE_BYTES_MAX / 3 * 3]), escaped(&long[..LINE_BYTES_MAX / 3 * 3]));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (bytes_max, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aß"), (4, "aßc"), (9, "aßc")] {
            assert_eq!(cut("aßc", bytes_max), expected);
        }
    }
}
