//! Evidence, in process on a clock that is moved from day to day: what is in a file, what two instances and an upload
//! that breaks off leave in the container, and what the check says of files that are not as they were written.

mod real;

use std::{sync::Arc, time::Duration};

use azure_core::http::Url;
use diskseal::{
    azure::{Terms, Transport},
    evidence::{Checked, Container, Days, Error, Evidence, Kept, check, keep},
    function::{self, App},
};
use diskseal_emulator::{
    Options,
    event_grid::EventGridOptions,
    fault::{Fault, Kind, Refusal},
    host::{FunctionsHost, HostOptions, stage_definitions},
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tokio::time::{advance, resume};

use crate::{
    delivery::{DEADLINE, site_with},
    world::{World, identity, jane},
};

const PATH: &str = "/evidence";
const DAY: Duration = Duration::from_hours(24);

fn terms() -> Terms {
    Terms::behind_events(Duration::from_mins(2))
}

fn container(world: &World) -> Container {
    let url = Url::parse(&format!("https://management.azure.com{PATH}")).unwrap();
    Container::new(url, Transport::from(world.azure.http_client()), identity(&world.azure))
}

fn evidence(world: &World) -> Evidence {
    Evidence { container: container(world), portal: "https://portal.azure.com" }
}

/// A world with an empty container, whose list has at most two blobs a page.
fn world() -> World {
    let world = World::new();
    world.azure.put_container(PATH, 2);
    world
}

async fn kept(world: &World) -> Result<Kept, Error> {
    keep(&world.ctx, &evidence(world), terms()).await
}

fn files(world: &World) -> Vec<(String, Value)> {
    let parsed = |(name, content): (String, Vec<u8>)| (name, serde_json::from_slice(&content).unwrap());
    world.azure.blobs(PATH).into_iter().map(parsed).collect()
}

fn sha256(content: &[u8]) -> String {
    digest(&SHA256, content).as_ref().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn count(world: &World, kind: Kind) -> usize {
    world.azure.journal().iter().filter(|exchange| exchange.kind == kind).count()
}

/// The states by the check, without the year and the month.
async fn states(world: &World) -> Vec<String> {
    let checked = check(&Days::Container(container(world)), terms(), || {}).await.unwrap();
    checked.iter().map(|Checked { state, .. }| state.label().to_owned()).collect()
}

fn assert_conforms(schema: &str, document: &Value) {
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let faults: Vec<_> =
        validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_day_has_one_file_with_everything_in_scope_and_the_hash_of_the_one_before() {
    let world = world();
    world.azure.make_immutable(PATH);
    let (open, sealed, gone) = (world.disk("open"), world.sealed_disk("sealed"), world.disk("gone"));
    assert!(matches!(kept(&world).await, Ok(Kept::Written { resources: 3, .. })));
    assert_eq!(kept(&world).await.unwrap(), Kept::Before);
    assert_eq!(count(&world, Kind::BlobCommit), 1);

    advance(DAY).await;
    let new = world.disk("new");
    world.azure.delete(&gone, &jane());
    world.enforce(&open).await.unwrap();
    assert!(matches!(kept(&world).await, Ok(Kept::Written { resources: 3, .. })));

    let [(first_name, first), (name, second)] = files(&world).try_into().unwrap();
    for document in [&first, &second] {
        assert_conforms(include_str!("../../docs/schemas/evidence-1.json"), document);
        assert_conforms(include_str!("../../docs/schemas/report-1.json"), &document["report"]);
    }
    assert_eq!((&first["previous"], &first["changes"]), (&Value::Null, &Value::Null));
    assert_eq!(json!(name), json!(format!("{}.json", second["day"].as_str().unwrap())));
    let hash = sha256(&world.azure.blobs(PATH)[&first_name]);
    assert_eq!(second["previous"], json!({"name": first_name, "sha256": hash}));

    let changes = second["changes"].as_array().unwrap();
    let of = |id: &str| changes.iter().find(|change| change["id"] == id).map(|change| change["what"].clone());
    assert_eq!(
        (of(&open), of(&gone), of(&new)),
        (Some(json!("changed")), Some(json!("deleted")), Some(json!("created")))
    );
    assert_eq!((of(&sealed), &second["changeCount"]), (None, &json!(3)), "what is the same is no change");
    let before = &changes.iter().find(|change| change["id"] == open).unwrap()["before"];
    assert_eq!((&before["status"], &before["dataAccessAuthMode"]), (&json!("unsealed"), &json!("None")));
    let [written] = second["written"].as_array().unwrap().as_slice() else { panic!("{second}") };
    assert_eq!((&written["id"], &written["sealedBy"]), (&json!(open), &json!("event")));
    assert_eq!(states(&world).await, ["proven", "newest"]);
}

#[tokio::test(start_paused = true)]
async fn two_instances_of_one_day_leave_one_whole_file() {
    let world = world();
    world.disk("d");
    let other = world.restarted();
    for hold in [
        Fault::hold_before_applying().on(Kind::BlobBlock),
        Fault::hold_before_applying().on(Kind::BlobCommit),
    ] {
        advance(DAY).await;
        let files_before = world.azure.blobs(PATH).len();
        let held = world.fault(hold.times(1));
        let overtaken = async {
            held.held().await;
            let first = kept(&other).await;
            held.release();
            first
        };
        let (second, first) = tokio::join!(kept(&world), overtaken);
        assert!(matches!(first, Ok(Kept::Written { .. })), "{first:?}");
        assert_eq!(second.unwrap(), Kept::Before, "no harm, and no failure");
        assert_eq!(files(&world).len(), files_before + 1);
    }
    assert_eq!(states(&world).await, ["proven", "newest"]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_breaks_off_leaves_nothing_and_the_next_try_of_the_day_writes_it() {
    let world = world();
    world.disk("d");
    let refusal = |status| Fault::refuse(Refusal::server_error(status));
    for (fault, kind, reason) in [
        (refusal(503), Kind::BlobBlock, "storage_refused"),
        (refusal(500), Kind::BlobCommit, "storage_refused"),
        (Fault::reset(), Kind::BlobCommit, "storage_unreachable"),
        (Fault::refuse(Refusal::authorization_failed()), Kind::BlobRead, "storage_refused"),
    ] {
        let broken = world.fault(fault.on(kind).always());
        let error = kept(&world).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(world.azure.blobs(PATH).is_empty(), "{kind:?}");
        broken.remove();
    }
    // A passing fault is tried again, and a lost answer is no second file.
    world.fault(refusal(503).on(Kind::BlobBlock).times(2));
    world.fault(Fault::reset_after_applying().on(Kind::BlobCommit).times(1));
    assert_eq!(kept(&world).await.unwrap(), Kept::Before);
    assert_eq!(files(&world).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_previous_file_that_cannot_be_read_is_hashed_all_the_same_and_the_next_day_is_written() {
    let world = world();
    world.disk("d");
    kept(&world).await.unwrap();
    let name = files(&world)[0].0.clone();
    world.azure.set_blob(PATH, &name, Some(b"{\"format\":1".to_vec()));
    advance(DAY).await;
    kept(&world).await.unwrap();
    let blobs = world.azure.blobs(PATH);
    let second: Value = serde_json::from_slice(blobs.values().last().unwrap()).unwrap();
    assert_eq!(second["previous"]["sha256"], sha256(&blobs[&name]));
    assert!(second["changesError"].is_string(), "{}", second["changesError"]);
    assert_eq!(states(&world).await, ["unreadable", "newest"]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_of_the_scope_can_be_read_there_is_no_empty_evidence() {
    let world = world();
    world.disk("d");
    for kind in [Kind::Query, Kind::List] {
        world.fault(Fault::refuse(Refusal::authorization_failed()).on(kind).always());
    }
    let error = kept(&world).await.unwrap_err();
    assert!(world.azure.blobs(PATH).is_empty(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_flipped_byte_a_missing_day_and_reordered_files_are_told_apart() {
    let world = world();
    world.disk("d");
    for _ in 0..5 {
        kept(&world).await.unwrap();
        advance(DAY).await;
    }
    let whole = world.azure.blobs(PATH);
    let names: Vec<_> = whole.keys().collect();
    let restore =
        || whole.iter().for_each(|(name, content)| world.azure.set_blob(PATH, name, Some(content.clone())));
    assert_eq!(states(&world).await, ["proven", "proven", "proven", "proven", "newest"]);

    // Each byte in steps; some of them end the JSON, and some are in the link itself.
    let content = &whole[names[2]];
    for at in (0..content.len()).step_by(content.len() / 20) {
        let mut flipped = content.clone();
        flipped[at] ^= 1;
        world.azure.set_blob(PATH, names[2], Some(flipped));
        let states = states(&world).await;
        assert_eq!(
            (states[0].as_str(), &states[2..]),
            ("proven", &["changed", "proven", "newest"].map(str::to_owned)[..]),
            "byte {at}"
        );
        assert!(["proven", "unproven"].contains(&states[1].as_str()), "byte {at}: {states:?}");
    }
    restore();

    world.azure.set_blob(PATH, names[2], None);
    assert_eq!(states(&world).await, ["proven", "unproven", "missing", "proven", "newest"]);
    restore();

    world.azure.set_blob(PATH, names[1], Some(whole[names[2]].clone()));
    world.azure.set_blob(PATH, names[2], Some(whole[names[1]].clone()));
    assert_eq!(states(&world).await, ["proven", "reordered", "reordered", "proven", "newest"]);
    restore();

    // Nothing ran for two days.
    advance(DAY * 2).await;
    kept(&world).await.unwrap();
    assert_eq!(states(&world).await[4..], ["proven", "no_file", "newest"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_refuses_or_hangs_stops_no_sweep_and_the_next_run_of_the_day_writes_it() {
    for fault in [Fault::refuse(Refusal::authorization_failed()), Fault::delay(Duration::from_hours(1))] {
        let world = world();
        let id = world.disk("d");
        let broken = world.fault(fault.on(Kind::BlobRead).always());
        let folder = tempfile::tempdir().unwrap();
        stage_definitions(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), folder.path()).unwrap();
        let settings = [("DISKSEAL_SWEEP_SCHEDULE".to_owned(), "0 0 * * * *".to_owned())].into();
        let azure = world.azure.clone();
        let handler = move || {
            let app = App::new(DEADLINE);
            let world = World::at(azure.clone(), &[]);
            app.evidence.set(Arc::new(evidence(&world))).unwrap();
            app.context.set(Arc::new(world.ctx)).unwrap();
            function::router(Arc::new(app))
        };
        let options = HostOptions { settings, ..HostOptions::new(folder.path()) };
        let host = FunctionsHost::start_in_process(options, handler).unwrap();
        let swept = host.fire_timer("sweep").await.unwrap();
        assert!(swept.succeeded(), "{swept:?}");
        assert!(
            swept.logs.iter().any(|line| line.starts_with("evidence: not written: ")),
            "{:?}",
            swept.logs
        );
        host.queues_drained().await;
        assert!(world.is_sealed(&id));

        broken.remove();
        let swept = host.fire_timer("sweep").await.unwrap();
        assert!(
            swept.logs.iter().any(|line| line.contains(".json written, 1 resources")),
            "{:?}",
            swept.logs
        );
        assert_eq!(files(&world).len(), 1);
        let swept = host.fire_timer("sweep").await.unwrap();
        assert!(!swept.logs.iter().any(|line| line.contains("evidence")), "once a day: {:?}", swept.logs);
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_there_is_no_request() {
    let azure = diskseal_emulator::Emulator::new(Options::immediate());
    azure.put_container(PATH, 2);
    let site = site_with(&azure, DEADLINE, EventGridOptions::default(), &[]);
    site.host.fire_timer("sweep").await.unwrap();
    let kinds: Vec<_> = azure.journal().iter().map(|exchange| exchange.kind).collect();
    assert!(!kinds.contains(&Kind::BlobRead), "{kinds:?}");
    resume();
}
