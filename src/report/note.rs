//! A remark about one resource.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A word from a closed set.
pub type Word = Cow<'static, str>;

/// A remark about the resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A word from a closed set.
    pub reason: Word,
    /// A sentence for people.
    pub text: String,
}
