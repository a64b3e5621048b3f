//! What holds for every command.

use std::process::Command as Process;

use super::*;

/// What examples run besides `diskseal`, and where they write. The words of `diskseal` go to the file descriptor 3.
const SHELL: &str = r#"
set -eu
exec 3>&1 >/dev/null
cd "$1"; export HOME=$1 PROFILE=$1/profile
mkdir -p .local/share/bash-completion/completions .config/fish/completions
fpath=("$1" "$1")
export DISK=$2/providers/Microsoft.Compute/disks/d
diskseal() { printf '%s\0' diskseal "$@" '' >&3; }
az() {
    case "$1 $2" in
        "functionapp list") echo "$group/providers/Microsoft.Web/sites/func" ;;
        "disk show") echo "$DISK" ;;
    esac
}
jq() { cat; }; head() { cat; }; man() { :; }
group=$2
eval "$3"
"#;
const GROUP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg";

/// Each command with its words, the program's first.
fn commands(command: &Command, path: &str, each: &mut impl FnMut(&str, &Command)) {
    each(path, command);
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        commands(command, &format!("{path} {}", command.get_name()), each);
    }
}

/// The words of each `diskseal` in a script, as a shell reads it.
fn words_of(script: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let output =
        Process::new("bash").args(["--norc", "-c", SHELL, "bash", folder, GROUP, script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{script}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
    words.split(String::is_empty).filter(|words| !words.is_empty()).map(<[_]>::to_vec).collect()
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_command_has_examples_and_each_is_a_command_line_of_it() {
    let mut count = 0;
    commands(&command(), "diskseal", &mut |path, definition| {
        let guide = definition.get::<Guide>().unwrap_or_else(|| panic!("{path} has no examples"));
        for example in guide.examples {
            let all = words_of(example);
            let is_own =
                |words: &Vec<String>| format!("{} ", words.join(" ")).starts_with(&format!("{path} "));
            assert!(all.iter().any(is_own), "{path}: {example}: {all:?}");
            for words in all {
                let read = command().try_get_matches_from(&words);
                assert!(read.is_ok(), "{words:?}: {}", read.unwrap_err());
                count += 1;
            }
        }
    });
    assert!(count > 30, "{count}");
}

#[test]
fn no_line_of_an_example_is_too_wide_to_be_copied() {
    commands(&command(), "diskseal", &mut |path, definition| {
        let help = help::plain(&definition.clone().render_long_help().to_string());
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{path}: {help}"));
        for line in examples.split("\n\n").next().unwrap_or_default().lines() {
            assert!(line.chars().count() <= 78, "{path}: {line}");
        }
        for line in definition.get::<Guide>().unwrap().exits.iter().flat_map(|(_, text)| text.lines()) {
            assert!(line.chars().count() <= 74, "{path}: {line}");
        }
    });
}
