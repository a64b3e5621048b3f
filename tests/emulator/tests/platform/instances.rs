//! An app on instances: who listens to what, how many there are, and what a kill leaves.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{Router, http::header};
use diskseal_emulator::{
    event_grid::Endpoint as _,
    host::{FunctionApp, FunctionGroup, HostOptions, LOOK_OFTEN},
    queue::Encoding,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::host::App;

const REPLY: &str = r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#;

/// A handler that takes ten seconds for each call.
fn slow() -> Router {
    Router::new().fallback(|| async {
        sleep(Duration::from_secs(10)).await;
        ([(header::CONTENT_TYPE, "application/json")], REPLY)
    })
}

fn options(app: &App) -> HostOptions {
    let mut options = app.options();
    options.settings.insert(LOOK_OFTEN.0.to_owned(), LOOK_OFTEN.1.to_owned());
    options
}

fn queued() -> FunctionGroup {
    FunctionGroup::Function("queued".to_owned())
}

/// The functions that an instance of a group has run.
fn ran(app: &FunctionApp, group: &FunctionGroup) -> BTreeSet<String> {
    let instances = app.instances(group);
    instances.iter().flat_map(|host| host.invocations()).map(|one| one.function).collect()
}

#[tokio::test(start_paused = true)]
async fn each_group_has_instances_of_its_own_and_listens_to_its_functions_only() {
    let files = App::new(&[]);
    let app = Arc::new(FunctionApp::start_in_process(options(&files), 40, slow).unwrap());
    let names: Vec<_> = app.groups().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["http", "function:queued", "function:tick"]);
    app.set_instances(&FunctionGroup::Http, 2).unwrap();
    let event = json!({ "id": "1", "data": {} });
    let webhook = app.event_grid("on-write");
    let (one, two) = (webhook.deliver(vec![event.clone()]), webhook.deliver(vec![event]));
    assert_eq!(tokio::join!(one, two), (202, 202));
    let each: Vec<_> =
        app.instances(&FunctionGroup::Http).iter().map(|host| host.invocations().len()).collect();
    assert_eq!(each, [1, 1], "deliveries go round");
    app.queues().queue("in").put(Encoding::Base64.encode(b"x")).unwrap();
    app.queues_drained().await;
    assert!(app.fire_timer("tick").await.unwrap().succeeded());
    assert_eq!(ran(&app, &queued()), ["queued".to_owned()].into());
    assert_eq!(ran(&app, &FunctionGroup::Function("tick".to_owned())), ["tick".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_scaled_by_its_length_up_to_the_maximum() {
    let files = App::new(&[]);
    let app = FunctionApp::start_in_process(options(&files), 5, slow).unwrap();
    let queue = app.queues().queue("in");
    for (length, expected) in [(0, 1), (1, 1), (24, 1), (25, 2), (96, 4), (2_000, 5)] {
        while queue.len() < length {
            queue.put("eA==").unwrap();
        }
        assert_eq!(app.vote(&queued()), expected, "{length} messages");
        app.scale().unwrap();
        assert_eq!(app.instances(&queued()).len(), expected);
    }
    let ids: BTreeSet<_> =
        app.instances(&queued()).iter().map(|host| host.settings()["WEBSITE_INSTANCE_ID"].clone()).collect();
    assert_eq!(ids.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_killed_instance_is_replaced_and_its_messages_come_back_after_their_lease() {
    let files = App::new(&[]);
    let app = FunctionApp::start_in_process(options(&files), 40, slow).unwrap();
    let queue = app.queues().queue("in");
    for number in 0..30 {
        queue.put(Encoding::Base64.encode(number.to_string().as_bytes())).unwrap();
    }
    app.set_instances(&queued(), 2).unwrap();
    sleep(Duration::from_secs(1)).await;
    let killed = Arc::clone(&app.instances(&queued())[0]);
    app.replace(&queued(), 0).unwrap();
    sleep(Duration::from_mins(2)).await;
    assert!(!queue.is_empty() && killed.invocations().is_empty(), "what it had leased waits");
    app.queues_drained().await;
    let done: Vec<Value> = app.invocations().iter().map(|one| json!(one.succeeded())).collect();
    assert_eq!(done, vec![json!(true); 30]);
    assert!(app.queues().poison("in").is_empty());
}
