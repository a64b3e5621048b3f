//! Ctrl-C in each kind of command.

use std::process::Stdio;

use diskseal_emulator::{
    Emulator, Options, disk_body,
    fault::{Fault, Kind},
    serve::Serving,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use super::{commands::program, disk, terminal::Terminal};

async fn azure() -> (Emulator, Serving) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    azure.insert(&disk("a"), &disk_body("westeurope")).unwrap();
    (azure, serving)
}

fn start(mut program: Command) -> Child {
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn press_ctrl_c(child: &Child) {
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

/// Exit code, standard output, standard error.
async fn end(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const AGAIN: &str = "diskseal: Interrupted. Run it again to continue.\n";

#[tokio::test]
async fn a_write_in_flight_is_left_and_the_command_says_how_to_go_on() {
    let unseal = ["unseal", "--yes", "--exempt-tag", "keep", "--until", "2999-12-31", "--reason", "INC-1"];
    let id = disk("a");
    for arguments in [&["sweep"][..], &["seal", &id], &[&unseal[..], &[&id]].concat()] {
        let (azure, serving) = azure().await;
        if arguments[0] == "unseal" {
            azure.set_property(&id, "dataAccessAuthMode", "AzureActiveDirectory".into());
        }
        let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch));
        let child = start(program(&serving, arguments));
        held.held().await;
        press_ctrl_c(&child);
        let (code, _, err) = end(child).await;
        assert_eq!(code, Some(130), "{arguments:?}: {err}");
        assert!(err.ends_with(AGAIN), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn a_plan_that_is_applied_or_reverted_goes_on_with_the_same_command() {
    let (azure, serving) = azure().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let sweep = |how: &'static str, more: &'static [&'static str]| {
        program(&serving, &[&["sweep", how, file.to_str().unwrap()][..], more].concat())
    };
    assert_eq!(end(start(sweep("--plan", &[]))).await.0, Some(0));
    let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch));
    let child = start(sweep("--apply", &["--yes"]));
    held.held().await;
    press_ctrl_c(&child);
    let (code, _, err) = end(child).await;
    assert!(code == Some(130) && err.ends_with(AGAIN), "{err}");
    held.cut_off();
    assert_eq!(end(start(sweep("--apply", &["--yes"]))).await.0, Some(0));

    let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch));
    let child = start(sweep("--revert", &["--yes"]));
    held.held().await;
    press_ctrl_c(&child);
    let (code, _, err) = end(child).await;
    assert!(code == Some(130) && err.ends_with(AGAIN), "{err}");
}

#[tokio::test]
async fn a_command_that_waits_for_azure_ends_at_once() {
    let id = disk("a");
    // The search for installations is a query, too, so the second one hangs.
    let after_search = || Fault::hold_before_applying().on(Kind::Query).after(1);
    let cases: [(&[&str], Fault, &str); 6] = [
        (&["report"], after_search(), "no report was written"),
        (&["sweep", "--dry-run"], after_search(), "nothing was written"),
        (&["sweep"], Fault::hold_before_applying().on(Kind::Query), "nothing was done"),
        (
            &["policy", "check", &id],
            Fault::hold_before_applying().on(Kind::Get),
            "what is not listed was not checked",
        ),
        (
            &["doctor", "--app", "none"],
            Fault::hold_before_applying().on(Kind::Query),
            "the other checks were not made",
        ),
        (&["doctor"], Fault::hold_before_applying().on(Kind::Query), "nothing was done"),
    ];
    for (arguments, fault, said) in cases {
        let (azure, serving) = azure().await;
        let held = azure.inject(fault);
        let child = start(program(&serving, arguments));
        held.held().await;
        press_ctrl_c(&child);
        let (code, _, err) = end(child).await;
        assert_eq!(code, Some(130), "{arguments:?}: {err}");
        assert!(err.ends_with(&format!("diskseal: Interrupted; {said}.\n")), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn a_question_that_waits_for_its_answer_is_left_with_the_terminal_whole() {
    let (azure, serving) = azure().await;
    azure.set_property(&disk("a"), "dataAccessAuthMode", "AzureActiveDirectory".into());
    let id = disk("a");
    let unseal = ["unseal", "--exempt-tag", "keep", "--until", "2999-12-31", "--reason", "INC-1", &id];
    for answer in [None, Some("n\n")] {
        let mut terminal = Terminal::open(80);
        let mut program = program(&serving, &unseal);
        program.stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
        let mut child = program.spawn().unwrap();
        // It keeps the ends of the terminal.
        drop(program);
        terminal.shows("Unseal 1 resource? [y/N] ").await;
        match answer {
            Some(answer) => terminal.types(answer),
            None => press_ctrl_c(&child),
        }
        let code = child.wait().await.unwrap().code();
        let printed = terminal.printed().await;
        let end = if answer.is_some() {
            "diskseal: nothing was unsealed\r\n"
        } else {
            "[y/N] \r\ndiskseal: Interrupted; nothing was unsealed.\r\n"
        };
        assert_eq!(code, Some(if answer.is_some() { 1 } else { 130 }), "{printed}");
        assert!(printed.ends_with(end), "{printed:?}");
    }
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));
}

#[tokio::test]
async fn ids_that_are_awaited_on_standard_input_are_no_longer() {
    let (_azure, serving) = azure().await;
    let mut program = program(&serving, &["seal"]);
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let stdin = child.stdin.take();
    // The thread for Ctrl-C is there before anything is read, and nothing else shows that it is.
    let status = format!("/proc/{}/task", child.id().unwrap());
    let is_listening = || {
        let tasks = std::fs::read_dir(&status).into_iter().flatten().flatten();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .any(|name| name == "ctrl-c\n")
    };
    let is_ready = || {
        let of_process = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
        let caught = of_process.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        // The second bit is SIGINT.
        is_listening() && u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
    };
    while !is_ready() {
        tokio::task::yield_now().await;
    }
    press_ctrl_c(&child);
    let (code, _, err) = end(child).await;
    assert_eq!((code, err.as_str()), (Some(130), "diskseal: Interrupted.\n"));
    drop(stdin);
}

#[tokio::test]
async fn a_second_one_does_not_wait_for_the_last_telemetry() {
    let (azure, serving) = azure().await;
    // A collector that accepts connections and answers nothing.
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch));
    let mut program = program(&serving, &["sweep"]);
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let mut child = start(program);
    held.held().await;
    let mut err = BufReader::new(child.stderr.take().unwrap());
    press_ctrl_c(&child);
    let mut line = String::new();
    while line != AGAIN {
        line.clear();
        assert_ne!(err.read_line(&mut line).await.unwrap(), 0, "it ends without its last words");
    }
    // What it said is said; it waits for the collector.
    press_ctrl_c(&child);
    let mut rest = String::new();
    err.read_to_string(&mut rest).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert!(rest.ends_with("diskseal: Interrupted.\n"), "{rest}");
    drop(collector);
}
