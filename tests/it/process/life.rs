//! The process itself: its socket, its settings, its end.

use std::time::Duration;

use diskseal_emulator::{
    disk_body,
    fault::{Fault, Kind},
};

use super::{disk, is_sealed, run, setup, start};
use crate::world::jane;

#[tokio::test]
async fn a_port_that_is_missing_no_number_or_taken_is_told_and_ends_the_start() {
    let missing = run(&["serve"], &[]).await;
    assert_eq!(missing.status.code(), Some(2));
    let text = String::from_utf8(missing.stderr).unwrap();
    assert!(text.contains("FUNCTIONS_CUSTOMHANDLER_PORT") && text.contains("--port"), "{text}");

    let wrong = run(&["serve"], &[("FUNCTIONS_CUSTOMHANDLER_PORT", "http")]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("1 to 65535"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = run(&["serve"], &[("FUNCTIONS_CUSTOMHANDLER_PORT", &port)]).await;
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{text}");
}

#[tokio::test]
async fn every_wrong_setting_is_told_in_one_go() {
    let output = run(
        &["serve", "--port", "70000"],
        &[
            ("DISKSEAL_MODE", "on"),
            ("DISKSEAL_ARM_ENDPOINT", "http://management.azure.com"),
            ("DISKSEAL_DEADLINE", "0"),
        ],
    )
    .await;
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("diskseal: 4 invalid settings: DISKSEAL_MODE, "), "{text}");
    for name in
        ["DISKSEAL_MODE", "DISKSEAL_ARM_ENDPOINT", "DISKSEAL_DEADLINE", "FUNCTIONS_CUSTOMHANDLER_PORT"]
    {
        assert!(text.contains(name), "{name} is not in {text}");
    }
}

#[tokio::test]
async fn help_names_every_setting_and_a_wrong_flag_is_reported() {
    let help = run(&["serve", "--help"], &[]).await;
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    for setting in diskseal::config::settings() {
        assert!(
            text.contains(setting.name) && text.contains(&format!("--{}", setting.flag)),
            "{}",
            setting.name
        );
    }
    let wrong = run(&["serve", "--prot", "7071"], &[]).await;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--port"), "a suggestion");
    assert_eq!(run(&[], &[]).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_read_ends_the_start() {
    let port = free_port();
    let output = run(
        &["serve"],
        &[
            ("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str()),
            ("SSL_CERT_FILE", "/nonexistent/ca.pem"),
            ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/"),
            ("IDENTITY_HEADER", "x"),
        ],
    )
    .await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: cannot start: "));
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    let azure = start(setup(), &[]).await;
    let port = azure.host.instance_of("seal_on_write").unwrap().port();
    let pid = azure.host.pid("seal_on_write").unwrap();
    // Every address on which the process listens, from the kernel: 0A is LISTEN, 0100007F is 127.0.0.1.
    for (table, any) in [("tcp", "0100007F"), ("tcp6", "")] {
        let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for line in sockets.lines().skip(1).filter(|line| line.split_whitespace().nth(3) == Some("0A")) {
            let (address, hex_port) = line.split_whitespace().nth(1).unwrap().split_once(':').unwrap();
            if u16::from_str_radix(hex_port, 16).unwrap() == port {
                assert_eq!(address, any);
            }
        }
    }
    let ready = azure.host.invoke_raw("", "").await.unwrap();
    assert_eq!(ready.status, 405, "GET / is the readiness poll, and no function has that name");
}

#[tokio::test]
async fn a_readiness_poll_is_not_logged() {
    let azure = start(setup(), &[("RUST_LOG", "trace")]).await;
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    let lines = azure.host.console();
    assert!(lines.iter().any(|line| line.text.contains(" started; ")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.text.contains("GET / ")), "{lines:?}");
}

#[tokio::test]
async fn a_signal_lets_what_is_in_flight_finish_and_asks_for_a_restart() {
    let azure = start(setup(), &[]).await;
    let pid = azure.host.pid("seal_on_write").unwrap();
    let held = azure.emulator.inject(Fault::hold_before_applying().on(Kind::Patch));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    held.held().await;
    azure.host.terminate("seal_on_write");
    azure.host.wait_for_line(|line| line.text.contains("SIGTERM")).await;
    held.release();
    let exit = azure.host.wait_exit(pid).await;
    assert_eq!(
        (exit.code, exit.counted),
        (Some(200), false),
        "the host restarts its handler and counts no error"
    );
    assert!(is_sealed(&azure, &disk("d")), "the seal that was under way was finished");
    // The spans of the last invocation were flushed.
    azure.collector.wait_for(|span| span.name == "seal_on_write").await;

    azure.host.ready().await.unwrap();
    azure.emulator.put(&disk("next"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("next")));
}

#[tokio::test]
async fn a_stop_waits_for_looks_in_flight_until_their_deadline() {
    let azure = start(setup(), &[("DISKSEAL_DEADLINE", "1")]).await;
    let pid = azure.host.pid("seal_on_write").unwrap();
    let held = azure.emulator.inject(Fault::hold_before_applying().on(Kind::Patch));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    held.held().await;
    azure.host.terminate("seal_on_write");
    let exit = tokio::time::timeout(Duration::from_secs(30), azure.host.wait_exit(pid)).await.unwrap();
    assert_eq!(exit.code, Some(200));
    held.cut_off();
    azure.host.ready().await.unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")));
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}
