//! Timers, calls by hand, and settings of the host.

use std::time::Duration;

use diskseal_emulator::host::{Failure, Trigger, Verdict};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    App, Handler, case, event_function, names, queue_function, recorded, same_requests, text, timer_function,
};

fn event() -> Value {
    json!({ "method": "POST", "function": "seal_on_write", "headers": [["aeg-event-type", "Notification"]],
        "body": "[{\"id\":\"1\",\"data\":{}}]" })
}

#[tokio::test(start_paused = true)]
async fn a_timer_calls_as_recorded() {
    for name in names("timer") {
        assert_eq!(name, "timer/timer");
        let app = App::new(&json!({}), &[timer_function()]);
        let handler = Handler::default();
        let host = app.start(&handler);
        for _ in 0..2 {
            host.fire_timer("sweep").await.unwrap();
            sleep(Duration::from_mins(1)).await;
        }
        let recorded = recorded(&case(&name));
        same_requests(&name, &handler.seen(), &recorded);
        // The second tick names the time of the first, and itself as the next.
        let status = |at: usize| -> Value {
            let body: Value = serde_json::from_str(&handler.seen()[at].body).unwrap();
            body["Data"]["timer"]["ScheduleStatus"].clone()
        };
        assert_eq!(status(1)["Last"], status(0)["Next"]);
        assert_eq!(status(0)["Last"], "0001-01-01T00:00:00+00:00");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_by_hand_are_as_recorded() {
    for name in names("manual") {
        let case = case(&name);
        let app = App::new(&json!({}), &[event_function(), queue_function(), timer_function()]);
        let handler = Handler::default();
        let host = app.start(&handler);
        let function = case["given"]["function"].as_str().unwrap_or_else(|| {
            ["seal_on_write", "seal_queued", "sweep"]
                .into_iter()
                .find(|function| name.contains(&function.replace('_', "-")))
                .unwrap()
        });
        let called = host.call_by_hand(function, text(&case["given"]["input"], &name)).await.unwrap();
        same_requests(&name, &handler.seen(), &recorded(&case));
        if let Some(result) = case["result"].as_array() {
            assert_eq!(called.succeeded(), result[0] == 200, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_s_settings_do_what_was_recorded() {
    for name in names("host") {
        let case = case(&name);
        match name.as_str() {
            "host/datatype-binary" | "host/datatype-string" => data_type(&name, &case).await,
            "host/function-disabled" => disabled(&case).await,
            "host/schedule-unset" => schedule(&case).await,
            "host/timeout-ends-others" => time_out(&case).await,
            // What becomes of the settings is in the tests of each.
            "host/host-json-overrides" => overrides(&case),
            other => panic!("{other} is replayed nowhere"),
        }
    }
}

async fn data_type(name: &str, case: &Value) {
    let with_type = |(function, mut bindings): (&'static str, Value)| {
        bindings[0]["dataType"] = case["given"]["dataType"].clone();
        (function, bindings)
    };
    let app = App::new(&json!({}), &[with_type(event_function()), with_type(queue_function())]);
    let handler = Handler::default();
    let host = app.start(&handler);
    let requests = recorded(case);
    let body: Value = serde_json::from_str(text(&requests[0]["body"], name)).unwrap();
    host.invoke("seal_on_write", Trigger::Event(body["Data"]["event"].clone())).await.unwrap();
    host.queues().queue("diskseal-pending").put("eyJpZCI6IngifQ==").unwrap();
    host.queues_drained().await;
    same_requests(name, &handler.seen(), &requests);
}

async fn disabled(case: &Value) {
    for run in case["runs"].as_array().unwrap() {
        let setting = text(&run["setting"], "a setting");
        let app = App::new(&json!({}), &[event_function(), queue_function()]).with(setting, "true");
        let host = app.start(&Handler::default());
        let (status, _, body) = super::event_grid::post(&host, &event()).await;
        assert_eq!(json!([status, body]), run["webhook"], "{setting}");
        host.queues().queue("diskseal-pending").put("eA==").unwrap();
        sleep(Duration::from_mins(1)).await;
        let is_taken = host.queues().queue("diskseal-pending").is_empty();
        assert_eq!(json!(is_taken), run["queueListenerStarted"], "{setting}");
    }
}

async fn schedule(case: &Value) {
    let unset = json!([{ "type": "timerTrigger", "direction": "in", "name": "timer",
        "schedule": "%DISKSEAL_SWEEP_SCHEDULE%" }]);
    let app = App::new(&json!({}), &[event_function(), queue_function(), ("sweep", unset)]);
    let host = app.start(&Handler::default());
    let (status, _, _) = super::event_grid::post(&host, &event()).await;
    assert_eq!(json!(status), case["webhookOfSealOnWrite"]);
    let why = &host.not_indexed()["sweep"];
    assert!(text(&case["causes"][1], "a cause").contains(why), "{why}");
    assert_eq!(host.functions(), ["seal_on_write", "seal_queued"]);
}

/// Two calls that never end, the second three seconds after the first, and a limit of five seconds.
async fn time_out(case: &Value) {
    let app = App::new(&json!({ "functionTimeout": "00:00:05" }), &[event_function()]);
    let hang = || axum::Router::new().fallback(std::future::pending::<&'static str>);
    let host = diskseal_emulator::host::FunctionsHost::start_in_process(app.options(), hang).unwrap();
    let start = Instant::now();
    let second = async {
        sleep(Duration::from_secs(3)).await;
        host.invoke("seal_on_write", Trigger::Event(json!({}))).await.unwrap()
    };
    let first = host.invoke("seal_on_write", Trigger::Event(json!({})));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().verdict, start.elapsed().as_secs()), (Verdict::TimedOut, 5));
    assert!(matches!(second.verdict, Verdict::Failed(Failure::Connection(_))), "{second:?}");
    let recorded = |at: usize| text(&case["outcome"][at]["error"], "an error").to_owned();
    assert!(recorded(0).starts_with("Timeout value of 00:00:05"));
    assert!(recorded(1).contains("sending the request"));
    assert!(host.exits().iter().all(|exit| !exit.counted) && case["stops"] == 0);
}

fn overrides(case: &Value) {
    let mut app = App::new(&json!({}), &[event_function()]);
    for (name, value) in case["given"].as_object().unwrap() {
        if let Some(value) = value.as_str() {
            app = app.with(name, value);
        }
    }
    let host = app.start(&Handler::default());
    assert_eq!(json!(host.arguments()), case["argv"]);
    assert_eq!(host.function_timeout(), Some(Duration::from_mins(2)));
    let queues = host.queue_options();
    let ours = json!({
        "MaxDequeueCount": queues.max_dequeue_count,
        "MaxPollingInterval": format!("00:00:{:02}", queues.max_polling_interval.as_secs()),
        "BatchSize": queues.batch_size,
    });
    assert_eq!(ours, case["queues"]);
}
