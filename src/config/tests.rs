//! What holds for each row.

use super::*;

pub(super) fn lookup(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

pub(super) fn read(pairs: &[(&str, &str)]) -> Result<Config, Faults> {
    Config::for_command(&lookup(pairs))
}

/// The one fault that a value has.
pub(super) fn fault(name: &str, value: &str) -> String {
    let Faults(faults) = read(&[(name, value)]).expect_err(value);
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(fault.name, name);
    fault.message.clone()
}

/// A value as it is shown after it was read.
pub(super) fn shown(setting: &Setting, value: &str) -> Option<String> {
    setting.shown(&read(&[(setting.name, value)]).unwrap())
}

#[test]
fn a_default_is_read_and_shown_as_it_is_documented() {
    for setting in settings() {
        let shown = setting.shown(&read(&[]).unwrap());
        match setting.default {
            Fallback::Text(text) => assert_eq!(shown.as_deref(), Some(text), "{}", setting.name),
            // Which credential a command has without the setting depends on the command.
            Fallback::Means(words) => {
                assert!(shown.is_none_or(|value| words.contains(&value)), "{}", setting.name);
            }
        }
    }
}

#[test]
fn each_known_word_is_read_in_whatever_case_and_shown_as_it_is_documented() {
    for setting in settings() {
        let Value::Words(words) = setting.value else { continue };
        for word in words() {
            assert_eq!(shown(setting, &word.to_uppercase()).as_deref(), Some(word), "{}", setting.name);
        }
        assert!(fault(setting.name, "maybe").contains(&words().join(", ")), "{}", setting.name);
    }
}

#[test]
fn each_help_begins_with_a_sentence_of_one_line() {
    for setting in settings() {
        let summary = setting.summary();
        assert!(summary.ends_with('.') && summary.len() <= 100, "{}: {summary}", setting.name);
    }
}

#[test]
fn an_empty_value_is_no_value() {
    let pairs: Vec<_> = settings().map(|setting| (setting.name, " ")).collect();
    assert_eq!(read(&pairs).unwrap().policy.tags.len(), 3);
}

#[test]
fn a_value_that_names_nothing_is_a_fault_by_name() {
    for setting in settings() {
        for nothing in [",", " , ,", ",,"] {
            assert!(fault(setting.name, nothing).contains("names nothing"), "{}", setting.name);
        }
    }
}

#[test]
fn an_unresolved_reference_is_a_fault_by_name_and_never_shown() {
    for setting in settings() {
        for reference in [
            "@Microsoft.KeyVault(SecretUri=https://kv.example/secrets/x=1)",
            " @microsoft.AppConfiguration(x)",
        ] {
            let message = fault(setting.name, reference);
            assert!(message.contains("not resolved") && !message.contains("icrosoft."), "{message}");
        }
    }
    // What only looks similar is a value.
    assert_eq!(
        shown(settings().find(|one| one.flag == "exempt-names").unwrap(), "@microsoft").as_deref(),
        Some("@microsoft")
    );
}

#[test]
fn every_fault_is_reported_at_once_with_its_name_and_what_is_allowed() {
    // The Functions host reads the schedule, so Diskseal accepts any text.
    let names: Vec<_> =
        settings().map(|setting| setting.name).filter(|name| !name.ends_with("_SCHEDULE")).collect();
    let error = read(&names.iter().map(|name| (*name, "[?")).collect::<Vec<_>>()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.0.iter().map(|fault| fault.name).collect::<Vec<_>>(), names, "{text}");
    for allowed in ["enforce, audit", "AzurePublic, AzureUSGovernment, AzureChina", "from 1 to 240"] {
        assert!(text.contains(allowed), "{allowed} is not in {text}");
    }
    let first = format!("{} invalid settings: DISKSEAL_MODE, DISKSEAL_TAGS", names.len());
    assert!(text.starts_with(&first), "{text}");
}
