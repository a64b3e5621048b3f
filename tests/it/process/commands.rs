//! The commands, with the real binary.

use std::process::Stdio;

use diskseal_emulator::{
    Emulator, Options, Protection, disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
};
use tokio::io::AsyncWriteExt;

use super::{binary, disk, line_of, snapshot};

/// What stands in place of a scope.
const SCOPES: [&str; 4] = ["--all-subscriptions", "--subscriptions", "--management-group", "--app"];

/// A command against the local ARM, with its managed identity. One that demands a scope works everywhere unless it
/// has one.
pub(super) fn program(serving: &Serving, arguments: &[&str]) -> tokio::process::Command {
    let mut program = tokio::process::Command::new(binary());
    let is_scoped = arguments.iter().any(|argument| SCOPES.contains(argument));
    let demands = matches!(arguments, ["sweep" | "seal", ..]) && !is_scoped;
    program
        .args(arguments)
        .args(demands.then_some(SCOPES[0]))
        .args(["--arm-endpoint", &serving.arm_https, "--credential", "managed-identity"])
        .env_clear()
        .env("SSL_CERT_FILE", &serving.ca_pem)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .kill_on_drop(true);
    program
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(super) async fn command(
    serving: &Serving,
    arguments: &[&str],
    input: &str,
) -> (Option<i32>, String, String) {
    let mut child = program(serving, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its arguments does not read standard input.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let err = text(output.stderr);
    // Every command that talks to Azure says whose settings apply.
    let whose = err.lines().filter(|line| line.starts_with("diskseal: settings: ")).count();
    assert!(whose <= 1, "{err}");
    let err = err.split_inclusive('\n').filter(|line| !line.starts_with("diskseal: settings: ")).collect();
    (output.status.code(), text(output.stdout), err)
}

#[tokio::test]
async fn single_disks_and_snapshots_are_sealed_by_their_ids() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("a"), &disk_body("westeurope")).unwrap();
    azure.insert(&snapshot("b"), &snapshot_body("westeurope", &disk("a"))).unwrap();

    let (code, out, err) = command(&serving, &["seal", &disk("a")], "").await;
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), format!("{}\n", line_of("sealed", &disk("a"))).as_str(), "")
    );

    // IDs from standard input, deduplicated.
    let input = format!("{}\n\n  {}  \n{}\n", disk("a"), snapshot("b"), snapshot("B"));
    let (code, out, _) = command(&serving, &["seal"], &input).await;
    assert_eq!(code, Some(0));
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [line_of("already sealed", &disk("a")), line_of("sealed", &snapshot("b"))]);
    for id in [disk("a"), snapshot("b")] {
        assert_eq!(azure.get(&id).unwrap()["properties"]["dataAccessAuthMode"], "AzureActiveDirectory");
    }
}

#[tokio::test]
async fn the_exit_code_says_whether_all_are_sealed() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for name in ["a", "locked"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").always());
    let (code, out, _) = command(&serving, &["seal", &disk("a"), &disk("locked")], "").await;
    assert_eq!(code, Some(1));
    assert!(
        out.contains(&format!(
            "{}: setting dataAccessAuthMode failed: 409 ScopeLocked",
            line_of("not sealed", &disk("locked"))
        )),
        "{out}"
    );

    let (code, out, _) = command(&serving, &["seal", "--mode", "audit", &disk("locked")], "").await;
    assert_eq!((code, out.trim_end()), (Some(1), line_of("would seal", &disk("locked")).as_str()));

    let wrong = format!("{}/../x", disk("a"));
    let (code, out, err) = command(&serving, &["seal", &disk("a"), &wrong, "nonsense"], "").await;
    assert_eq!((code, out.as_str()), (Some(2), ""), "nothing was tried");
    assert!(err.contains("nonsense") && err.lines().count() == 2, "{err}");

    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
    let (code, ..) = command(&serving, &["seal", &disk("a")], "").await;
    assert_eq!(code, Some(3));
}

#[tokio::test]
async fn a_disk_of_a_protected_machine_is_sealed_only_when_the_guard_allows_it() {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let machine = disk("vm").replace("disks", "virtualMachines");
    let vault = disk("v").replace("Microsoft.Compute/disks", "Microsoft.RecoveryServices/vaults");
    for name in ["free", "backed-up"] {
        azure.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    azure.attach(&disk("backed-up"), &machine);
    azure.protect(&machine, &vault, Protection::Backup);

    let (code, out, _) = command(&serving, &["seal", &disk("free"), &disk("backed-up")], "").await;
    assert_eq!(code, Some(1));
    assert!(out.contains(&line_of("sealed", &disk("free"))), "{out}");
    assert!(
        out.contains(&format!("{}: {vault} protects it", line_of("protected", &disk("backed-up")))),
        "{out}"
    );

    let (code, _, err) = command(&serving, &["seal", "--backup-guard", "warn", &disk("backed-up")], "").await;
    assert_eq!(code, Some(0));
    assert!(err.contains(&vault), "{err}");
}
