//! What a command prints: a failed write is a failure, and text from outside stays text.

use std::{fs::File, process::Stdio};

use diskseal_emulator::{
    Emulator, Options, disk_body,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    serve::Serving,
};
use serde_json::json;

use super::{
    commands::{command, program},
    disk, event, is_sealed, run, setup, start,
};

async fn azure() -> (Emulator, Serving) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    (azure, serving)
}

/// Exit code and standard error of a command with this standard output.
async fn printing_to(
    serving: &Serving,
    arguments: &[&str],
    stdout: impl Into<Stdio>,
) -> (Option<i32>, String) {
    // Commands that need no Azure do not know its settings.
    let is_local = matches!(arguments, ["man" | "completions" | "--help" | "--version" | "help", ..]);
    let mut program = if is_local {
        let mut program = tokio::process::Command::new(super::binary());
        program.args(arguments).env_clear();
        program
    } else {
        program(serving, arguments)
    };
    let child = program.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[tokio::test]
async fn output_that_cannot_be_written_is_reported_and_fails() {
    let (azure, serving) = azure().await;
    let id = disk("d");
    azure.insert(&id, &disk_body("westeurope")).unwrap();
    let unseal =
        ["unseal", "--yes", "--exempt-tag", "keep", "--until", "2999-12-31", "--reason", "INC-1", &id];
    let commands: [&[&str]; 17] = [
        &["report"],
        &["report", "--output", "csv"],
        &["report", "--output", "json"],
        &["report", "--output", "html"],
        &["policy", "check"],
        &["policy", "check", "--output", "json"],
        &["policy", "check", &id],
        &["policy", "check", "--output", "json", &id],
        &["sweep", "--dry-run"],
        &["doctor", "--app", "none"],
        &["doctor", "--app", "none", "--output", "json"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["seal", "--help"],
        &["--version"],
        &unseal,
    ];
    for arguments in commands {
        let (code, err) = printing_to(&serving, arguments, full()).await;
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        let said =
            err.lines().filter(|line| line.starts_with("diskseal: standard output: No space left")).count();
        assert_eq!(said, 1, "{arguments:?}: {err}");
    }
    let is_open = || azure.get(&id).unwrap()["properties"]["dataAccessAuthMode"] != "AzureActiveDirectory";
    assert!(is_open());
    // What is lost is the output alone.
    for arguments in [&["seal", &id][..], &["sweep"]] {
        azure.insert(&id, &disk_body("westeurope")).unwrap();
        let (code, err) = printing_to(&serving, arguments, full()).await;
        assert!(code == Some(2) && err.contains("standard output: No space left"), "{arguments:?}: {err}");
        assert!(!is_open(), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_failure() {
    let (_, serving) = azure().await;
    for arguments in
        [&["report"][..], &["report", "--output", "csv"], &["policy", "check"], &["man"], &["--help"]]
    {
        let (expected, _) = printing_to(&serving, arguments, Stdio::null()).await;
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, err) = printing_to(&serving, arguments, writer).await;
        assert!(code == expected && !err.contains("standard output"), "{arguments:?}: {code:?} {err}");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_no_panic() {
    let mut program = tokio::process::Command::new(super::binary());
    program.args(["policy", "check"]).env_clear().env("DISKSEAL_MODE", "on");
    let status = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(full()).status().await.unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Forges a line, clears a terminal by C0 and C1, and reverses what follows; among them every mark of direction.
const EVIL: &str = "ok\r\nsealed /subscriptions/crown-jewels\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{85}\u{202a}\u{202b}\
                    \u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}end";

fn assert_inert(text: &str, whose: &str) {
    let active = |c: char| {
        (c.is_control() && c != '\n')
            || "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}"
                .contains(c)
    };
    assert!(!text.contains(active), "{whose}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("sealed /subscriptions/crown")), "{whose}: {text}");
}

#[tokio::test]
async fn text_from_outside_neither_forges_a_line_nor_steers_the_terminal() {
    let (azure, serving) = azure().await;
    let exempt = disk("exempt");
    let mut body = disk_body("westeurope");
    body["tags"] = json!({"keep": format!("until=2999-12-31; {EVIL}"), "owner": EVIL});
    azure.insert(&exempt, &body).unwrap();
    let refused = disk("refused");
    azure.insert(&refused, &disk_body("westeurope")).unwrap();
    let refusal = Refusal::new(409, "Con\u{202e}flict\u{1b}[31m", EVIL);
    azure.inject(Fault::refuse(refusal.clone()).on(Kind::Patch).resource("refused").always());
    let keep = ["--exempt-tag", "keep"];
    let unseal = ["unseal", "--yes", "--until", "2999-12-31", "--reason", EVIL];
    let commands: [(&[&str], &str); 7] = [
        (&["seal", &exempt, &refused], r"its tag exempts it until 2999-12-31: ok\r\nsealed /sub"),
        (&["policy", "check", &exempt, &refused], r"\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{85}\u{202a}"),
        (&["report"], r"\u{2066}\u{2067}\u{2068}\u{2069}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}"),
        (&["sweep"], r"Con\u{202e}flict"),
        (&["sweep", "--dry-run"], "would seal"),
        (&["doctor", "--app", "none"], "ok"),
        (&[&unseal[..], &[&refused]].concat(), ""),
    ];
    for (arguments, shown) in commands {
        let (_, out, err) = command(&serving, &[arguments, &keep].concat(), "").await;
        assert_inert(&out, &format!("{arguments:?}"));
        assert_inert(&err, &format!("{arguments:?}"));
        assert!(out.contains(shown), "{arguments:?}: {out}");
    }
    // The other formats have escapes of their own, by which the text is whole.
    let (_, out, _) = command(&serving, &[&["report", "--output", "json"][..], &keep].concat(), "").await;
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report.to_string().contains("crown-jewels"), "{out}");
}

#[tokio::test]
async fn text_from_outside_is_escaped_in_the_log_and_in_the_answer() {
    let azure = start(setup(), &[("DISKSEAL_EXEMPT_TAG", "keep")]).await;
    let exempt = disk("exempt");
    let mut body = disk_body("westeurope");
    body["tags"] = json!({"keep": format!("until=2999-12-31; {EVIL}")});
    azure.emulator.insert(&exempt, &body).unwrap();
    let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event(&exempt))).await.unwrap();
    assert!(invocation.succeeded());
    assert!(
        invocation.logs[0].contains(r"ok\r\nsealed /subscriptions/crown-jewels\u{1b}[2J"),
        "{invocation:?}"
    );
    invocation.logs.iter().for_each(|line| assert_inert(line, "Logs"));
    // A failure of the system is printed, and so is what ARM says about it.
    let broken = disk("broken");
    azure.emulator.insert(&broken, &disk_body("westeurope")).unwrap();
    let refusal = Refusal::new(500, "Server\u{202e}Error", EVIL);
    azure.emulator.inject(Fault::refuse(refusal).on(Kind::Get).resource("broken").always());
    assert!(!azure.host.invoke("seal_on_write", Trigger::Event(event(&broken))).await.unwrap().succeeded());
    azure.host.invoke_raw("no\u{202e}thing", "{}").await.unwrap();
    let line = azure.host.wait_for_line(|line| line.text.starts_with("error: failed ")).await;
    assert!(line.text.contains(r"Server\u{202e}Error"), "{line:?}");
    azure.host.console().iter().for_each(|line| assert_inert(&line.text, "console"));
    assert!(!is_sealed(&azure, &exempt));
}

#[tokio::test]
async fn a_refused_endpoint_is_named_without_its_password() {
    let environment = [("DISKSEAL_ARM_ENDPOINT", "https://user:s3cret@management.azure.com")];
    for arguments in [&["serve", "--port", "1"][..], &["policy", "check"], &["report"], &["doctor"]] {
        let output = run(arguments, &environment).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("DISKSEAL_ARM_ENDPOINT") && !said.contains("s3cret"), "{arguments:?}: {said}");
    }
}
