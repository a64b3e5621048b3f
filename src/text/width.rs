//! How many columns of a terminal a text takes ("Unicode Standard Annex #11", East Asian Width), and shorter forms of it.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The number of columns.
pub(super) fn of(text: &str) -> usize {
    text.width()
}

/// The text in at most this many columns, with `…` in place of its middle: names often differ at their end. No
/// character as a person sees it is cut ("Unicode Standard Annex #29", grapheme clusters).
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if of(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(1) else { return String::new() };
    let end = end_of(text.graphemes(true).rev(), room / 3);
    let start = end_of(text.graphemes(true), room - of(&text[text.len() - end..]));
    format!("{}…{}", text[..start].trim_end(), &text[text.len() - end..])
}

/// How many bytes of these parts have room.
fn end_of<'a>(parts: impl Iterator<Item = &'a str>, room: usize) -> usize {
    let mut left = room;
    parts
        .take_while(|part| {
            let fits = of(part) <= left;
            left = left.saturating_sub(of(part));
            fits
        })
        .map(str::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_start_and_their_end() {
        for (name, columns, expected) in [
            ("short", 5, "short"),
            ("vm-web-prod-0001-osdisk", 12, "vm-web-p…isk"),
            ("数据库磁盘-主要", 9, "数据库…要"),
            ("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 7, "👩‍👩‍👧‍👦👩‍👩‍👧‍👦…👩‍👩‍👧‍👦"),
            ("e\u{301}e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}…"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            let short = shortened(name, columns);
            assert_eq!(short, expected, "{name} in {columns}");
            assert!(of(&short) <= columns, "{short}");
        }
    }
}
