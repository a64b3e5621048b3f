//! Comparison of names without case, in every alphabet.
//!
//! Azure compares names as .NET's `StringComparison.OrdinalIgnoreCase` does: character by character, by the simple upper
//! case of each ("Best practices for comparing strings in .NET"). So `ß` is not `SS`, `σ` and the final `ς` are both `Σ`,
//! and `ı`, `İ`, `ſ` and the Kelvin sign equal no ASCII letter. Texts are not normalised: `é` in one character and `é`
//! in two are two names, of two resource groups in Azure. A key for comparison is never shown or sent.

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
    text.chars().map(fold).collect()
}

/// Whether two texts are spellings of one name.
pub fn is_same(one: &str, other: &str) -> bool {
    one.chars().map(fold).eq(other.chars().map(fold))
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
