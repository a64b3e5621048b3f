//! Enums with a word for each variant, for logs, metrics, traces and messages.
//!
//! The list of all words follows from the variants, so that no table and no test can miss one.

/// Declares an enum, a method that returns a variant's word, and a function that lists all words:
/// `enum Name, word of words { Own => "own" } + { Of(Other) }`. A variant of the second part has the word of the
/// value that it holds, whose type has the same method and function.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident, $word:ident of $words:ident {
            $(
                $(#[$own_meta:meta])*
                $own:ident $(($($tuple:tt)*))? $({$($fields:tt)*})? => $text:expr,
            )*
        } $(+ {
            $($(#[$of_meta:meta])* $of:ident($(#[$from:meta])* $inner:ty),)*
        })?
    ) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$own_meta])* $own $(($($tuple)*))? $({$($fields)*})?,)*
            $($($(#[$of_meta])* $of($(#[$from])* $inner),)*)?
        }

        impl $name {
            /// Its word, from a closed set.
            pub const fn $word(&self) -> &'static str {
                match self {
                    $(Self::$own { .. } => $text,)*
                    $($(Self::$of(inner) => inner.$word(),)*)?
                }
            }

            /// All words.
            pub fn $words() -> Vec<&'static str> {
                let words = [$($text),*].into_iter();
                $($(let words = words.chain(<$inner>::$words());)*)?
                words.collect()
            }
        }
    };
}
