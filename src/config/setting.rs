//! What a setting is: one value that holds its names, its help, how it is read and how it is shown.
//!
//! The rows stand in the files beside this one, by subject, each with its test right below. The command line, the
//! manual page, completions, `policy check` and the table of `docs/settings.md` come from them.

use super::values::Config;

/// Which commands have a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Every command that talks to Azure.
    Always,
    /// Sweeps, on the timer and on the command line.
    Sweep,
    /// The custom handler alone.
    Serve,
}

/// The form of a setting's value.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// Text, and what stands for it in the help.
    Text(&'static str),
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
}

/// What applies where a setting is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This text, read as if it were set.
    Text(&'static str),
    /// What this describes.
    Means(&'static str),
}

impl Fallback {
    /// The text, or the description.
    pub const fn text(self) -> &'static str {
        let (Self::Text(text) | Self::Means(text)) = self;
        text
    }
}

/// One setting: an environment variable, and a flag with the same meaning.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The flag's name, without its dashes.
    pub flag: &'static str,
    /// What a value looks like.
    pub value: Value,
    /// The first line is a sentence that stands alone; the rest are details.
    pub help: &'static str,
    /// What applies where it is not set.
    pub default: Fallback,
    /// Which commands have it.
    pub used: Use,
    /// Reads a value into the configuration, or returns what is wrong with it.
    pub(super) read: fn(&mut Config, &str) -> Result<(), String>,
    /// The value in force, in the form in which it is set; none where `default` describes it.
    pub(super) show: fn(&Config) -> Option<String>,
}

impl Setting {
    /// What it does, in one sentence.
    pub fn summary(&self) -> &'static str {
        self.help.split_once('\n').map_or(self.help, |(summary, _)| summary)
    }

    /// The value in force, in the form in which it is set; none where `default` describes it.
    pub fn shown(&self, config: &Config) -> Option<String> {
        (self.show)(config)
    }

    /// Reads a text into the configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, config: &mut Config, text: &str) -> Result<(), String> {
        if is_unresolved(text) {
            // The text names a vault, so it is not repeated.
            return Err("is a reference to Key Vault or App Configuration that is not resolved; the portal shows why \
                        beside the app setting"
                .to_owned());
        }
        if elements(text).next().is_none() {
            return Err(format!(
                "{text:?} names nothing; remove the setting, or leave it empty, for its default"
            ));
        }
        (self.read)(config, text)
    }

    /// The text that `lookup` has for it. An empty one counts as none: that is how app settings are switched off.
    pub fn given(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        lookup(self.name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// Whether a value is a reference to Key Vault or App Configuration that the platform left as it is, because it could
/// not resolve it ("Use Key Vault references as app settings").
pub fn is_unresolved(value: &str) -> bool {
    const PREFIX: &str = "@Microsoft.";
    value.trim_start().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Sets a part of the configuration, if its text could be read.
pub(super) fn set<T>(part: &mut T, read: Result<T, String>) -> Result<(), String> {
    read.map(|value| *part = value)
}

/// The meaning of a word, spelled in whatever case.
pub(super) fn meaning<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| format!("{text:?} is not one of {}", names(words).join(", ")))
}

/// The word with a meaning.
pub(super) fn word<T: Copy + PartialEq>(words: &[(&str, T)], meaning: T) -> Option<String> {
    words.iter().find(|(_, known)| *known == meaning).map(|(word, _)| (*word).to_owned())
}

/// The words alone.
pub(super) fn names<'a, T>(words: &[(&'a str, T)]) -> Vec<&'a str> {
    words.iter().map(|(word, _)| *word).collect()
}

/// The elements of a comma-separated list; empty ones count as none.
pub(super) fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|element| !element.is_empty())
}
