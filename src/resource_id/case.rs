//! Comparison of names without case, in every alphabet.
//!
//! Azure compares names as .NET's `StringComparison.OrdinalIgnoreCase` does: character by character, by the simple upper
//! case of each ("Best practices for comparing strings in .NET"). So `ß` is not `SS`, `σ` and the final `ς` are both `Σ`,
//! and `ı`, `İ`, `ſ` and the Kelvin sign equal no ASCII letter. Texts are not normalised: `é` in one character and `é`
//! in two are two names, of two resource groups in Azure. A key for comparison is never shown or sent.

use std::hash;

/// A character without its case: ASCII in lower case, and every other character in its simple upper case.
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if !upper.is_ascii() => upper,
        _ => c,
    }
}

/// A text without its case: two spellings of a name have the same. It may be longer or shorter in bytes, never in
/// characters.
pub fn folded(text: &str) -> String {
    // Nearly every name is ASCII, which needs no table.
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(fold).collect() }
}

/// Whether two texts are spellings of one name.
pub fn is_same(one: &str, other: &str) -> bool {
    // No character is folded into ASCII from outside of it.
    one.eq_ignore_ascii_case(other)
        || !(one.is_ascii() || other.is_ascii()) && one.chars().map(fold).eq(other.chars().map(fold))
}

/// Feeds a hash with a text without its case.
pub(super) fn hash<H: hash::Hasher>(text: &str, state: &mut H) {
    if !text.is_ascii() {
        return text.chars().map(fold).for_each(|c| state.write_u32(c.into()));
    }
    let mut part = [0; 64];
    for bytes in text.as_bytes().chunks(part.len()) {
        let part = &mut part[..bytes.len()];
        part.copy_from_slice(bytes);
        part.make_ascii_lowercase();
        state.write(part);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_as_dotnet_compares_them() {
        for (one, other) in [
            ("rg-Übung", "RG-üBUNG"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Группа", "ГРУППА"),
            ("straße", "STRAßE"),
            ("ÿ", "Ÿ"),
            ("ǆ", "ǅ"),
            ("グループ", "グループ"),
        ] {
            assert!(is_same(one, other) && folded(one) == folded(other), "{one} {other}");
        }
        for (one, other) in [
            ("ß", "ss"),
            ("ß", "SS"),
            ("İ", "i"),
            ("ı", "I"),
            ("ſ", "s"),
            ("\u{212a}", "k"),
            ("é", "e\u{301}"),
            ("a", "ä"),
            ("ab", "a"),
        ] {
            assert!(!is_same(one, other) && folded(one) != folded(other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once.clone());
            prop_assert_eq!(once.chars().count(), text.chars().count());
        }
    }
}
