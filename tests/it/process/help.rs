//! Help, as a person reads it: on a screen of 80 columns, and on a wide one.

use std::process::Stdio;

use diskseal::config::settings;

use super::{binary, run};

/// What the binary prints on standard output on a terminal of this width, without an environment.
fn printed(arguments: &[&str], columns: u16) -> String {
    let output = std::process::Command::new(binary())
        .args(arguments)
        .env_clear()
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The words of every command, and none for the program itself, as the help lists them.
fn commands() -> Vec<Vec<String>> {
    fn below(path: &[String], all: &mut Vec<Vec<String>>) {
        all.push(path.to_vec());
        let words: Vec<_> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let help = printed(&words, 80);
        let Some((_, list)) = help.split_once("Commands:\n") else { return };
        let list = list.split("\n\n").next().unwrap();
        // A description may continue on the next line.
        for line in list.lines().filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap().to_owned();
            if path != ["help"] {
                below(&[path, &[name]].concat(), all);
            }
        }
    }
    let mut all = vec![];
    below(&[], &mut all);
    assert!(all.len() >= 13, "{all:?}");
    all
}

fn with<'a>(path: &'a [String], flag: &'a str) -> Vec<&'a str> {
    path.iter().map(String::as_str).chain([flag]).collect()
}

#[test]
fn short_help_fits_a_screen_and_has_no_setting() {
    for path in commands() {
        let help = printed(&with(&path, "-h"), 80);
        assert!(help.lines().count() < 40, "{path:?}: {} lines", help.lines().count());
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{path:?}: {line}");
        }
        assert!(!help.contains("--backup-guard") && !help.contains("Settings (") && !help.contains('\u{a0}'));
        let is_of_azure = printed(&with(&path, "--help"), 80).contains("--backup-guard");
        assert_eq!(help.contains("Settings: diskseal help settings"), is_of_azure, "{path:?}");
    }
}

#[test]
fn help_reads_well_on_a_narrow_and_on_a_wide_screen() {
    for path in commands() {
        let name = if path.is_empty() { "diskseal".to_owned() } else { path.join("-") };
        for columns in [80, 140] {
            let text = format!(
                "{}\n{}\n\n{}",
                printed(&with(&path, "-h"), columns),
                "─".repeat(usize::from(columns)),
                printed(&with(&path, "--help"), columns)
            );
            insta::assert_snapshot!(format!("{name}__{columns}"), text);
        }
    }
    for topic in ["settings", "environment", "exit-codes"] {
        for columns in [80, 140] {
            insta::assert_snapshot!(format!("help-{topic}__{columns}"), printed(&["help", topic], columns));
        }
    }
}

#[test]
fn examples_can_be_copied_from_every_screen() {
    let mut count = 0;
    for path in commands() {
        let examples = |columns| {
            let help = printed(&with(&path, "--help"), columns);
            let examples = help.split_once("\nExamples:\n").map(|(_, rest)| rest.to_owned());
            let examples = examples.map(|rest| rest.split("\n\n").next().unwrap().to_owned());
            examples.unwrap_or_default()
        };
        let wide = examples(200);
        for columns in [40, 60, 80] {
            assert_eq!(examples(columns).trim_end(), wide.trim_end(), "{path:?} at {columns}");
        }
        for line in wide.lines() {
            assert!(line.chars().count() <= 78 && !line.contains('\u{a0}'), "{path:?}: {line}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn own_flags_come_before_settings_and_examples() {
    let help = printed(&["sweep", "--help"], 80);
    let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
    let places = [
        "Usage: ",
        "Options:",
        "--dry-run",
        "--created-after",
        "Settings (",
        "  --mode",
        "Examples:",
        "Exit codes:",
    ];
    assert!(places.map(place).is_sorted(), "{help}");
}

#[test]
fn commands_stand_in_the_order_in_which_they_are_used() {
    let commands = commands();
    let names: Vec<_> = commands.iter().filter(|path| path.len() == 1).map(|path| path[0].as_str()).collect();
    assert!(names.starts_with(&["seal", "sweep", "report"]), "{names:?}");
    assert!(names.ends_with(&["serve", "completions", "man", "help"]), "{names:?}");
    for path in &commands {
        let about = printed(&with(path, "-h"), 200);
        let first = about.split_whitespace().next().unwrap();
        // Imperative: "Seal", not "Seals".
        assert!(
            !first.ends_with('s') && first.starts_with(|c: char| c.is_ascii_uppercase()),
            "{path:?}: {first}"
        );
    }
}

#[test]
fn every_setting_is_in_its_topic_and_has_a_page() {
    let all = printed(&["help", "settings"], 200);
    for setting in settings() {
        let head = format!("{}, --{} <", setting.name, setting.flag);
        assert!(all.contains(&head) && all.contains(setting.summary()), "{}", setting.name);
        let pages = [setting.flag, setting.name, &setting.name.to_lowercase()]
            .map(|name| printed(&["help", "settings", name], 2_000));
        assert!(pages.iter().all(|page| page == &pages[0]), "{}", setting.name);
        let [page, ..] = &pages;
        for part in setting.help.lines().chain([setting.name, setting.flag]) {
            assert!(page.contains(part), "{}: {part}: {page}", setting.name);
        }
    }
}

#[tokio::test]
async fn help_of_a_command_is_its_long_help_and_of_anything_else_an_error() {
    for path in commands() {
        let words: Vec<_> = ["help"].into_iter().chain(path.iter().map(String::as_str)).collect();
        if words != ["help", "help"] {
            assert_eq!(printed(&words, 80), printed(&with(&path, "--help"), 80), "{path:?}");
        }
    }
    for words in
        [&["help", "nonsense"][..], &["help", "settings", "nonsense"], &["help", "policy", "nonsense"]]
    {
        let output = run(words, &[]).await;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("nonsense"));
    }
}

#[tokio::test]
async fn a_missing_argument_is_not_blamed_on_a_variable() {
    let output = run(&["unseal"], &[("DISKSEAL_MODE", "audit"), ("DISKSEAL_EXEMPT_NAMES", "x")]).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err.contains("Usage: diskseal unseal [OPTIONS] --until <YYYY-MM-DD> --reason <TEXT> [ID]..."),
        "{err}"
    );
    assert!(!err.contains("--mode") && !err.contains("exempt"), "{err}");
}

#[tokio::test]
async fn a_word_that_no_setting_has_is_reported_with_all_others() {
    let output = run(&["seal", "--mode", "x", "--cloud", "y"], &[]).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("--mode: \"x\"") && err.contains("--cloud: \"y\""), "{err}");
}
