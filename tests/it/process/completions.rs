//! Completions, in the shells themselves.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use diskseal::config::{Value, settings};
use tempfile::TempDir;

use super::binary;

/// Its lists, by what it is asked for. It keeps what it was asked for in a file beside it.
const AZ: &str = r#"#!/bin/sh
echo "$*" >>"${0%/*}/asked"
case "$*" in
    "account list --query [].id --output tsv") printf '%s\n' 1111-a 1111-b 2222-c ;;
    "account management-group list --query [].name --output tsv") echo mg-prod ;;
    "account list-locations --query [].name --output tsv") printf '%s\n' westeurope westus ;;
    "group list --query [].name --output tsv") printf 'rg-app\nrg-db\nrg-\033[1mbold\n' ;;
    "resource list --tag application=diskseal"*) echo /subscriptions/1/sites/func ;;
    "disk list --query [].id --output tsv") echo /subscriptions/1/disks/d ;;
    "snapshot list --query [].id --output tsv") echo /subscriptions/1/snapshots/s ;;
    *) echo "ERROR: $*" >&2; exit 2 ;;
esac
"#;

/// A PATH with this binary, what the scripts of the shells need, and `az` if it is installed.
struct Shelf {
    folder: TempDir,
}

impl Shelf {
    fn new(has_az: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(binary(), folder.path().join("diskseal")).unwrap();
        for tool in ["expr", "cat", "sh"] {
            symlink(found(tool).unwrap(), folder.path().join(tool)).unwrap();
        }
        if has_az {
            let az = folder.path().join("az");
            fs::write(&az, AZ).unwrap();
            fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default()
    }

    fn run(&self, shell: &Path, arguments: &[&str]) -> String {
        let output = Command::new(shell)
            .args(arguments)
            .env_clear()
            .env("PATH", self.folder.path())
            .env("HOME", self.folder.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The candidates for the last word, in bash.
    fn bash(&self, words: &[&str]) -> Vec<String> {
        const SCRIPT: &str = r#"
            source <(diskseal completions bash)
            [[ $(complete -p diskseal) == *" -F _clap_complete_diskseal diskseal" ]] || exit 9
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
            _clap_complete_diskseal diskseal "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done"#;
        let arguments = [&["--norc", "-c", SCRIPT, "bash"], words].concat();
        lines(&self.run(&found("bash").unwrap(), &arguments))
    }

    /// The same in zsh, with the script as a file of `fpath`: the functions that show candidates print them.
    fn zsh(&self, shell: &Path, words: &[&str]) -> Vec<String> {
        const SCRIPT: &str = r#"
            diskseal completions zsh > $HOME/_diskseal
            fpath=($HOME); autoload -U _diskseal
            compdef() { : }
            _describe() { print -l -- ${${(P)3}%%:*} }
            words=("$@"); CURRENT=$#
            _diskseal"#;
        let arguments = [&["-f", "-c", SCRIPT, "zsh"], words].concat();
        lines(&self.run(shell, &arguments))
    }

    fn fish(&self, shell: &Path, words: &[&str]) -> Vec<String> {
        let line = words.join(" ");
        let script = format!("diskseal completions fish | source; complete --do-complete '{line}'");
        let all = lines(&self.run(shell, &["--no-config", "-c", &script]));
        all.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    /// What the script of PowerShell, which is not run here, gets from the binary.
    fn powershell(words: &[&str]) -> Vec<String> {
        let output = Command::new(binary())
            .arg("--")
            .args(words)
            .env_clear()
            .env("DISKSEAL_COMPLETE", "powershell")
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let all = lines(&String::from_utf8(output.stdout).unwrap());
        all.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The candidates in each shell that is installed; bash always is.
fn in_each_shell(shelf: &Shelf, words: &[&str], check: impl Fn(&str, &[String])) {
    check("bash", &shelf.bash(words));
    check("powershell", &Shelf::powershell(words));
    if let Some(zsh) = found("zsh") {
        check("zsh", &shelf.zsh(&zsh, words));
    }
    if let Some(fish) = found("fish") {
        check("fish", &shelf.fish(&fish, words));
    }
}

#[test]
fn every_known_word_of_a_setting_is_a_candidate_in_every_shell() {
    let shelf = Shelf::new(false);
    let mut count = 0;
    for setting in settings() {
        let Value::Words(words) = setting.value else { continue };
        let flag = format!("--{}", setting.flag);
        in_each_shell(&shelf, &["diskseal", "serve", &flag, ""], |shell, candidates| {
            assert_eq!(candidates, words(), "{shell}: {flag}");
        });
        count += 1;
    }
    assert!(count > 5, "{count}");
}

#[test]
fn commands_flags_formats_and_lists_are_completed() {
    let shelf = Shelf::new(false);
    for (words, expected) in [
        (&["diskseal", "un"][..], &["unseal"][..]),
        (&["diskseal", "policy", ""], &["check"]),
        (&["diskseal", "seal", "--exempt-t"], &["--exempt-tag", "--exempt-ticket"]),
        (&["diskseal", "report", "-o", "h"], &["html"]),
        (&["diskseal", "report", "--fail-on", "unsealed,liv"], &["unsealed,live-sas"]),
        (&["diskseal", "sweep", "--kind", ""], &["disk", "snapshot"]),
        (&["diskseal", "completions", "p"], &["powershell"]),
        (&["diskseal", "help", "se"], &["seal", "serve", "settings"]),
        (&["diskseal", "help", "settings", "exempt-t"], &["exempt-tag", "exempt-ticket"]),
    ] {
        in_each_shell(&shelf, words, |shell, candidates| {
            let own: Vec<_> = candidates.iter().filter(|word| *word != "--help" && *word != "-h").collect();
            let mut sorted = own.clone();
            sorted.sort();
            assert_eq!(sorted, expected, "{shell}: {words:?}");
        });
    }
}

#[test]
fn names_come_from_az_if_it_is_installed() {
    let shelf = Shelf::new(true);
    for (words, expected) in [
        (&["diskseal", "sweep", "--subscriptions", ""][..], &["1111-a", "1111-b", "2222-c"][..]),
        (&["diskseal", "sweep", "--subscriptions", "2222-c,1111"], &["2222-c,1111-a", "2222-c,1111-b"]),
        (&["diskseal", "report", "--management-group", ""], &["mg-prod"]),
        // What a terminal would take for a command is left out.
        (&["diskseal", "report", "--resource-group", "RG"], &["rg-app", "rg-db"]),
        (&["diskseal", "doctor", "--location", "west"], &["westeurope", "westus"]),
        (&["diskseal", "doctor", "--app", "/"], &["/subscriptions/1/sites/func"]),
        (
            &["diskseal", "seal", "/subscriptions/1/"],
            &["/subscriptions/1/disks/d", "/subscriptions/1/snapshots/s"],
        ),
    ] {
        let bash = shelf.bash(words);
        assert_eq!(bash, expected, "{words:?}");
        if let Some(zsh) = found("zsh") {
            assert_eq!(shelf.zsh(&zsh, words), expected, "zsh: {words:?}");
        }
        // fish matches the typed word itself, in any case.
        if let Some(fish) = found("fish") {
            assert_eq!(shelf.fish(&fish, words), expected, "fish: {words:?}");
        }
    }
    assert!(shelf.asked().lines().all(|line| line.contains(" list")), "only lists: {}", shelf.asked());
    // An az that knows no answer, and none at all.
    assert_eq!(shelf.bash(&["diskseal", "doctor", "--workspace", ""]), [""; 0]);
    let without = Shelf::new(false);
    assert_eq!(without.bash(&["diskseal", "sweep", "--subscriptions", ""]), [""; 0]);
}

#[test]
fn every_script_names_the_binary_and_no_path_of_this_machine() {
    for (shell, part) in [
        ("bash", "complete -o"),
        ("zsh", "#compdef diskseal"),
        ("fish", "complete "),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName diskseal"),
        ("elvish", "edit:completion:arg-completer[diskseal]"),
    ] {
        let output = Command::new(binary()).args(["completions", shell]).env_clear().output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains(part), "{shell}: {script}");
        assert!(!script.contains("/target/") && script.contains("DISKSEAL_COMPLETE"), "{shell}: {script}");
    }
    let output = Command::new(binary()).args(["completions", "sh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_variable_of_completions_changes_no_command() {
    let version = |variables: &[(&str, &str)]| {
        let output = Command::new(binary())
            .arg("--version")
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        (output.status.code(), output.stdout)
    };
    assert_eq!(version(&[("DISKSEAL_COMPLETE", "bash")]), version(&[]));
    // A shell that is not known, or no variable: `--` is no command.
    for variables in [&[][..], &[("DISKSEAL_COMPLETE", "tcsh")]] {
        let output = Command::new(binary())
            .args(["--", "diskseal", ""])
            .env_clear()
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}
