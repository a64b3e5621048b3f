//! The handler's standard streams, as a host reads them: late, or not at all.

use std::{sync::Arc, time::Duration};

use diskseal_emulator::{
    collector::LogRecord,
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::{FunctionsHost, HostOptions, Reading, Stream, Trigger, stage},
    local_azure::LocalAzure,
};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::SetOnce;

use super::{binary, disk, event, exporting::dropped, is_sealed, setup, start, start_one};

/// Prints more lines than the pipe and the queue of lines hold: a batch that fails prints each of its lines.
async fn flood(azure: &LocalAzure) {
    let broken = disk("broken");
    azure.emulator.insert(&broken, &disk_body("westeurope")).unwrap();
    azure.emulator.inject(Fault::html(403).on(Kind::Get).resource("broken").always());
    let mut events = vec![json!({}); 4_999];
    events.push(event(&broken));
    let envelope = json!({"Data": {"event": events}}).to_string();
    for _ in 0..2 {
        let reply = azure.host.invoke_raw("seal_on_write", envelope.clone()).await.unwrap();
        assert_eq!(reply.status, 500);
    }
}

#[tokio::test]
async fn a_host_that_does_not_read_stops_nobody_and_learns_what_was_lost() {
    let mut setup = setup();
    let read = Arc::new(SetOnce::new());
    setup.host.reading = Reading::After(Arc::clone(&read));
    let azure = start(setup, &[("OTEL_METRIC_EXPORT_INTERVAL", "50")]).await;
    flood(&azure).await;
    assert!(azure.host.instance_of("seal_on_write").unwrap().ping().await);
    let id = disk("d");
    azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
    assert!(azure.host.invoke("seal_on_write", Trigger::Event(event(&id))).await.unwrap().succeeded());
    assert!(is_sealed(&azure, &id));
    assert_eq!(azure.host.console(), [], "nobody has read a line so far");
    // Lost lines are counted while they are lost.
    azure
        .collector
        .wait_until_metrics(|points| (dropped(points, "console", "not_read") > 1_000.0).then_some(()))
        .await;

    read.set(()).unwrap();
    let line = azure.host.wait_for_line(|line| line.text.contains("log lines were lost")).await;
    let lost = line.text.strip_prefix("warning: ").and_then(|text| text.split(' ').next()).unwrap();
    let lost: u32 = lost.parse().unwrap();
    let expected =
        format!("warning: {lost} log lines were lost, because standard output was not read in time");
    assert_eq!((line.text, line.stream), (expected, Stream::Stdout));
    azure
        .collector
        .wait_until_metrics(|points| {
            (dropped(points, "console", "not_read") >= f64::from(lost)).then_some(())
        })
        .await;
    let kept =
        azure.host.console().iter().filter(|line| line.text.starts_with("ignored: not an event")).count();
    // Others may be lost, too.
    let lost = usize::try_from(lost).unwrap();
    assert!(kept + lost >= 2 * 4_999, "each line was printed or counted: {kept} and {lost}");
    let reply = azure.host.invoke_raw("seal_on_write", "{}").await.unwrap();
    assert_eq!(reply.status, 400);
    azure.host.wait_for_line(|line| line.text.contains("refused with 400")).await;
}

#[tokio::test]
async fn a_handler_whose_output_nobody_reads_can_be_stopped() {
    let mut setup = setup();
    setup.host.reading = Reading::After(Arc::default());
    let azure = start(setup, &[]).await;
    flood(&azure).await;
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    let exit = tokio::time::timeout(Duration::from_mins(1), azure.host.wait_exit(pid)).await.unwrap();
    assert_eq!(exit.code, Some(200));
}

/// The recorded host stops reading when the process ends. Its starts are tried three times each.
#[tokio::test]
async fn a_wrong_setting_is_read_by_a_host_that_lags() {
    let lag = Duration::from_millis(20);
    let start = |number: usize| async move {
        let root = tempfile::tempdir().unwrap();
        stage(env!("CARGO_MANIFEST_DIR").as_ref(), &binary(), root.path()).unwrap();
        let mut options = HostOptions::new(root.path());
        // A guard's words hold "warn", and lines with it are left out of the host's exception.
        let faults = [("DISKSEAL_MODE", "enforced"), ("DISKSEAL_BACKUP_GUARD", "warned")];
        let faults = &faults[..=number % 2];
        options.settings =
            faults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        options.settings.insert("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 17 * * * *".to_owned());
        options.reading = Reading::Late(lag);
        let host = FunctionsHost::start(options).unwrap();
        let error = host.ready().await.unwrap_err().to_string();
        let lines = host.console();
        for exit in host.exits() {
            let lines: Vec<_> = lines.iter().filter(|line| line.pid == exit.pid).collect();
            for (name, _) in faults {
                let (first, last) = (lines.first().unwrap(), lines.last().unwrap());
                assert!(first.text.contains(name) && last.text.contains(name), "{lines:?}");
                assert!(error.contains(name), "{error}");
            }
            assert!(
                !lines.first().unwrap().text.contains("warn") && !lines.last().unwrap().text.contains("warn")
            );
        }
        host.exits().len()
    };
    let mut starts = 0;
    for _ in 0..8 {
        starts += join_all((0..2).map(start)).await.into_iter().sum::<usize>();
    }
    assert_eq!(starts, 48);
}

#[tokio::test]
async fn the_start_is_one_line() {
    let more = [
        ("DISKSEAL_MODE", "audit"),
        ("DISKSEAL_SUBSCRIPTIONS", crate::world::SUBSCRIPTION),
        ("DISKSEAL_DEADLINE", "25"),
        ("DISKSEAL_EXEMPT_NAMES", "tmp-*"),
        (
            "DISKSEAL_EXEMPTIONS",
            r#"[{"names": ["x"], "until": "2099-12-31", "reason": "INC-1 Ada", "owner": "jane.doe@example.com"}]"#,
        ),
    ];
    let azure = start_one(setup(), &more).await;
    let line = azure.host.wait_for_line(|line| line.text.starts_with("diskseal ")).await;
    let text = &line.text;
    let expected = format!(
        "diskseal {} started; mode: audit; scope: subscriptions {}; settings: ",
        env!("CARGO_PKG_VERSION"),
        crate::world::SUBSCRIPTION
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.contains(" DISKSEAL_EXEMPT_NAMES=tmp-* "), "{text}");
    assert!(text.contains(" DISKSEAL_EXEMPTIONS=entries: 1 "), "{text}");
    assert!(!text.contains("jane.doe") && !text.contains("Ada"), "an owner may be a person: {text}");
    assert!(!text.contains("DISKSEAL_DEADLINE"), "a default: {text}");
    assert!(text.ends_with("; functions: seal_on_write, seal_queued, sweep"), "{text}");
    for secret in [&azure.serving.identity_header, "IDENTITY_HEADER"] {
        assert!(!text.contains(secret), "{text}");
    }
    azure.host.terminate("seal_on_write");
    azure.host.wait_for_line(|line| line.text.contains("SIGTERM")).await;
    assert_eq!(azure.host.console().iter().filter(|line| line.text.starts_with("diskseal ")).count(), 1);
}

/// How often a text is in the host's log: in `Logs` and on the console.
fn count(logs: &[String], console: &[String], text: &str) -> (usize, usize) {
    let of = |lines: &[String]| lines.iter().filter(|line| line.contains(text)).count();
    (of(logs), of(console))
}

#[tokio::test]
async fn each_result_is_in_the_hosts_log_once_and_exported_once() {
    let azure = start(setup(), &[]).await;
    for name in ["good", "locked", "broken"] {
        azure.emulator.insert(&disk(name), &disk_body("westeurope")).unwrap();
    }
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("locked").times(1));
    let down = Fault::html(403).on(Kind::Get).resource("broken");
    azure.emulator.inject(down.always());

    let invoke = |events: Vec<Value>| {
        let envelope = json!({"Data": {"event": events}}).to_string();
        async { azure.host.invoke_raw("seal_on_write", envelope).await.unwrap() }
    };
    let good = invoke(vec![event(&disk("good")), event(&disk("locked")), json!({})]).await;
    let body: Value = serde_json::from_slice(&good.body).unwrap();
    let logs: Vec<String> = serde_json::from_value(body["Logs"].clone()).unwrap();
    let bad = invoke(vec![event(&disk("good")), event(&disk("broken")), json!({"eventType": "x"})]).await;
    assert_eq!((good.status, bad.status), (200, 500));
    azure.host.wait_for_line(|line| line.text.starts_with("error: failed ")).await;
    azure.host.wait_for_line(|line| line.text.contains("not a successful write")).await;
    azure.host.wait_for_line(|line| line.text.starts_with("already_sealed ")).await;
    let console: Vec<_> = azure.host.console().into_iter().map(|line| line.text).collect();
    let seen = |text: &str| count(&logs, &console, text);
    assert_eq!(
        seen(&format!("sealed {}", disk("good"))),
        (1, 1),
        "sealed in Logs, and already_sealed of a failure"
    );
    assert_eq!(seen("already_sealed "), (0, 1));
    assert_eq!(seen("pending "), (1, 0));
    assert_eq!(seen("ignored: not an event"), (1, 0));
    assert_eq!(seen("ignored: not a successful write"), (0, 1));
    assert_eq!(seen("failed "), (0, 1));
    assert!(
        console.iter().any(|line| line.starts_with("already_sealed ") && line.contains("invocation_id="))
    );

    let texts = ["sealed /", "already_sealed ", "pending ", "ignored: not an event", "failed /"];
    let is = |record: &LogRecord, text: &str| record.body.as_str().is_some_and(|body| body.starts_with(text));
    for text in texts {
        azure.collector.wait_for_log(|record| is(record, text)).await;
    }
    let records = azure.collector.logs();
    for text in texts {
        assert_eq!(records.iter().filter(|record| is(record, text)).count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_setting_that_is_no_text_is_named() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    for command in [&["serve", "--port", "1"][..], &["policy", "check"]] {
        let mut program = tokio::process::Command::new(binary());
        program.args(command).env_clear().env("DISKSEAL_MODE", OsStr::from_bytes(b"\xff\xfe"));
        let output = program.output().await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.lines().last().unwrap().contains("DISKSEAL_MODE: its value is not UTF-8"), "{err}");
    }
}
