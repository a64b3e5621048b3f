//! The life of the handler's process: crashes, exit codes, time-outs and restarts.

use diskseal_emulator::host::{Failure, FunctionsHost, HostError, HostOptions, Reading, Verdict};
use serde_json::json;

use crate::host::{App, event, play, started};

#[tokio::test]
async fn a_killed_handler_comes_back_on_the_same_port_until_the_third_time() {
    let (_app, host) = started(&[]).await;
    let port = host.port();
    for _ in 0..2 {
        let pid = host.pid().unwrap();
        host.kill().await;
        let exit = host.wait_exit(pid).await;
        assert_eq!((exit.signal, exit.counted), (Some(9), true));
        host.ready().await.unwrap();
        assert_ne!(host.pid(), Some(pid));
        assert!(play(&host, json!({})).await.succeeded());
    }
    assert_eq!(host.port(), port);
    host.kill().await;
    assert!(matches!(host.ready().await, Err(HostError::Down(_))));
    assert!(matches!(play(&host, json!({})).await.verdict, Verdict::Failed(Failure::HostDown(_))));
}

#[tokio::test]
async fn invocations_wait_for_a_restart() {
    let (_app, host) = started(&[]).await;
    host.kill().await;
    assert!(play(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn a_crash_fails_what_was_running() {
    let (_app, host) = started(&[]).await;
    let pid = host.pid().unwrap();
    let crashed = play(&host, json!({ "exit": 3 })).await;
    assert!(matches!(crashed.verdict, Verdict::Failed(Failure::Connection(_))));
    let exit = host.wait_exit(pid).await;
    assert_eq!((exit.code, exit.counted), (Some(3), true));
    assert!(play(&host, json!({})).await.succeeded());
}

#[tokio::test]
async fn code_200_restarts_without_a_count() {
    let (_app, host) = started(&[]).await;
    for _ in 0..4 {
        let pid = host.pid().unwrap();
        play(&host, json!({ "exit": 200 })).await;
        assert!(!host.wait_exit(pid).await.counted);
        host.ready().await.unwrap();
    }
}

#[tokio::test]
async fn code_0_goes_unnoticed() {
    let (_app, host) = started(&[]).await;
    let pid = host.pid().unwrap();
    host.terminate();
    assert_eq!(host.wait_exit(pid).await.code, Some(0));
    assert!(matches!(host.ready().await, Err(HostError::Down(_))));
    assert!(matches!(play(&host, json!({})).await.verdict, Verdict::Failed(Failure::Connection(_))));
}

#[tokio::test]
async fn a_handler_that_dies_at_its_start_takes_the_host_down_with_its_last_words() {
    let app = App::new(&[("PUPPET_START", "1"), ("PUPPET_STDERR", "no such setting")]);
    let host = app.start();
    let Err(HostError::Down(reason)) = host.ready().await else { panic!("it must not be ready") };
    assert!(reason.contains("code 1") && reason.contains("no such setting"), "{reason}");
    assert_eq!(host.exits().len(), 3);
}

/// A handler that waits before it exits is heard; one that leaves at once may not be.
#[tokio::test]
async fn the_last_words_of_a_handler_may_be_lost() {
    for (pause, expected) in [("0", 0), ("400", 3)] {
        let settings = [("PUPPET_START", "2"), ("PUPPET_STDERR", "no such setting"), ("PUPPET_LATE", pause)];
        let app = App::new(&settings);
        let reading = Reading::Late(std::time::Duration::from_millis(100));
        let host = FunctionsHost::start(HostOptions { reading, ..app.options() }).unwrap();
        let Err(HostError::Down(reason)) = host.ready().await else { panic!("it must not be ready") };
        assert_eq!(reason.contains("no such setting"), expected > 0, "{reason}");
        let lines = host.console().iter().filter(|line| line.text == "no such setting").count();
        assert_eq!(lines, expected, "after {pause} ms");
    }
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_killed_and_counted() {
    let limit = ("AzureFunctionsJobHost__customHandler__initializationTimeout", "00:00:00.05");
    let app = App::new(&[("PUPPET_START", "deaf"), limit]);
    let host = app.start();
    assert!(matches!(host.ready().await, Err(HostError::Down(_))));
    assert!(host.exits().iter().all(|exit| exit.counted && exit.signal == Some(9)));
}

#[tokio::test]
async fn an_empty_success_never_ends() {
    let (_app, host) = started(&[]).await;
    for script in [
        json!({ "body": "" }),
        json!({ "status": 204, "body": "", "contentType": "" }),
        json!({ "body": "null" }),
    ] {
        let before = host.invocations().len();
        let recorded = host.wait_for_invocation(|invocation| {
            invocation.verdict == Verdict::Hung && host.invocations()[before..].contains(invocation)
        });
        tokio::select! {
            ended = play(&host, script.clone()) => panic!("{script} ended: {ended:?}"),
            _ = recorded => {}
        }
    }
}

#[tokio::test]
async fn an_empty_success_costs_the_handler_its_life() {
    let (_app, host) = started(&[("AzureFunctionsJobHost__functionTimeout", "00:00:00.5")]).await;
    let pid = host.pid().unwrap();
    assert!(!play(&host, json!({ "body": "" })).await.succeeded());
    let exit = host.wait_exit(pid).await;
    assert_eq!((exit.signal, exit.counted), (Some(9), false));
    host.ready().await.unwrap();
}

#[tokio::test]
async fn a_time_out_kills_the_handler_and_all_that_it_does() {
    let (_app, host) = started(&[("AzureFunctionsJobHost__functionTimeout", "00:00:00.2")]).await;
    let pid = host.pid().unwrap();
    let (one, two) = tokio::join!(play(&host, json!({ "hang": true })), play(&host, json!({ "hang": true })));
    let verdicts = [one.verdict, two.verdict];
    assert!(verdicts.contains(&Verdict::TimedOut), "{verdicts:?}");
    assert_eq!(host.wait_exit(pid).await.signal, Some(9));
    host.ready().await.unwrap();
}

#[tokio::test]
async fn a_host_that_is_down_fails_deliveries() {
    use diskseal_emulator::event_grid::Endpoint as _;
    let app = App::new(&[]);
    let host = FunctionsHost::start(HostOptions { errors_until_down: 1, ..app.options() }).unwrap();
    host.ready().await.unwrap();
    let endpoint = host.event_grid("on-write");
    host.kill().await;
    assert_eq!(endpoint.deliver(vec![event(&json!({}))]).await, 503);
}

#[tokio::test]
async fn stopping_kills_the_handler() {
    let (_app, host) = started(&[]).await;
    let port = host.port();
    assert!(host.ping().await);
    host.stop().await;
    assert!(!host.ping().await);
    std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
}
