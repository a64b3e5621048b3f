//! Help, completions and the manual page, all from one definition.

use super::run;

async fn text(arguments: &[&str]) -> String {
    let output = run(arguments, &[]).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn help_lists_the_commands_and_the_exit_codes() {
    let help = text(&["--help"]).await;
    for part in
        ["seal", "unseal", "doctor", "policy", "completions", "man", "Exit codes: 0 done, 1", "3 Azure"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains('\u{1b}'), "colours are for a terminal");
    assert!(text(&["policy", "check", "--help"]).await.contains("Examples:"));
}

#[tokio::test]
async fn help_lists_the_words_of_a_setting_once_and_refuses_none() {
    for flag in ["-h", "--help"] {
        let help = text(&["sweep", flag]).await;
        assert_eq!(help.matches("AzureUSGovernment").count(), 1, "{help}");
    }
    let output = run(&["seal", "--mode", "x", "--cloud", "y"], &[]).await;
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("--mode: \"x\"") && err.contains("--cloud: \"y\""), "{err}");
}

#[tokio::test]
async fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&["completions", shell]).await;
        assert!(script.contains("unseal") && script.contains("exempt-tag"), "{shell}");
    }
    let offered =
        [("bash", "\"AzurePublic AzureUSGovernment AzureChina\""), ("zsh", "(AzurePublic AzureUSGovernment")];
    for (shell, words) in offered {
        assert!(text(&["completions", shell]).await.contains(words), "{shell}");
    }
    assert_eq!(run(&["completions", "sh"], &[]).await.status.code(), Some(2));

    let page = text(&["man"]).await;
    assert!(
        page.contains(".TH diskseal 1") && page.contains("doctor") && page.contains("Exit codes"),
        "{page}"
    );
    let folder = tempfile::tempdir().unwrap();
    text(&["man", "--directory", folder.path().to_str().unwrap()]).await;
    for page in ["diskseal.1", "diskseal-unseal.1", "diskseal-policy-check.1"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
}
