//! The handler's app settings in the demo, and those of `--set`, which are checked before anything is built.

use clap::{Command, Error, error::ErrorKind};
use diskseal::config::{self, Config};

use crate::scene;

/// Stands for the address of Resource Manager, which is known only when it listens.
const ANY_ARM: &str = "https://localhost";

/// The handler's settings in a local Azure.
pub(crate) fn own(arm: &str) -> Vec<(String, String)> {
    let all = [
        ("DISKSEAL_ARM_ENDPOINT", arm),
        ("DISKSEAL_SWEEP_SCHEDULE", "0 17 * * * *"),
        ("DISKSEAL_EXEMPT_RESOURCE_GROUPS", scene::EXEMPT_GROUPS),
        ("DISKSEAL_EXEMPT_TAG", scene::EXEMPT_TAG),
        // Exports spans at once, so that the trace appears without a delay.
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Reads one `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let is_name = |name: &str| {
        let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
        name.starts_with(is_first)
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if !is_name(name) {
        return Err(format!("{name:?} is not a name of an app setting; expected NAME=VALUE"));
    }
    if name == "DISKSEAL_MODE" {
        return Err("the demo sets the mode itself: use --audit for audit mode".to_owned());
    }
    if name.starts_with("DISKSEAL_") && !config::settings().any(|setting| setting.name == name) {
        return Err(format!("there is no setting {name}; `diskseal help` and docs/settings.md list all"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Refuses settings with which the handler would not start.
pub(crate) fn check(command: &mut Command, more: &[(String, String)]) -> Result<(), Error> {
    let mut all = own(ANY_ARM);
    all.push(("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), "1".to_owned()));
    all.extend_from_slice(more);
    let given =
        |name: &str| all.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    match Config::for_serve(&given) {
        Ok(_) => Ok(()),
        Err(faults) => Err(command.error(ErrorKind::ValueValidation, faults)),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, pair};
    use crate::command;

    fn refused(texts: &[&str]) -> String {
        let arguments = texts.iter().flat_map(|text| ["--set", text]);
        let parsed = command().try_get_matches_from(["demo"].into_iter().chain(arguments));
        let matches = match parsed {
            Ok(matches) => matches,
            Err(fault) => return fault.to_string(),
        };
        let more: Vec<_> = matches.get_many("setting").unwrap_or_default().cloned().collect();
        check(&mut command(), &more).err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn nonsense_is_refused_before_anything_is_built() {
        for (text, word) in [
            ("foo", "expected NAME=VALUE"),
            ("=x", "not a name"),
            ("a b=x", "not a name"),
            ("DISKSEAL_MODE=audit", "--audit"),
            ("DISKSEAL_MODE=bogus", "--audit"),
            ("DISKSEAL_MOOD=audit", "no setting DISKSEAL_MOOD"),
            ("DISKSEAL_PACE=fast", "DISKSEAL_PACE"),
            ("DISKSEAL_TAGS=a", "DISKSEAL_TAGS"),
        ] {
            assert!(refused(&[text]).contains(word), "{text}: {}", refused(&[text]));
        }
        assert_eq!(refused(&["RUST_LOG=debug", "DISKSEAL_PACE=5"]), "");
        assert_eq!(pair("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())), "a value may contain =");
    }
}
