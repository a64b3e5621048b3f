//! Our client against what `tests/live/record` writes: the scrubber's sample, and the recordings of a real run in the
//! folder that `DISKSEAL_LIVE_RECORDS` names.

use super::*;

/// Each recording's name and exchanges.
fn recordings() -> Vec<(String, Vec<Value>)> {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/sample.json")];
    if let Some(folder) = std::env::var_os("DISKSEAL_LIVE_RECORDS").filter(|value| !value.is_empty()) {
        files.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    let read = |file: &Path| -> Value { serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
    let exchanges = |file: &Path| read(file)["exchanges"].as_array().unwrap().clone();
    files.iter().map(|file| (file.display().to_string(), exchanges(file))).collect()
}

fn uri(exchange: &Value) -> &str {
    exchange["request"]["uri"].as_str().unwrap()
}

/// The disk or snapshot of a request on Resource Manager.
fn resource_of(exchange: &Value) -> Option<ResourceId> {
    let url = Url::parse(&uri(exchange).replace(['<', '>'], "-")).ok()?;
    url.path().parse().ok()
}

fn is_seal(exchange: &Value) -> bool {
    let mode = &exchange["request"]["body"]["properties"]["dataAccessAuthMode"];
    exchange["request"]["method"] == "PATCH"
        && mode == "AzureActiveDirectory"
        && resource_of(exchange).is_some()
}

/// The answers about an operation, from the one that began it to its end.
fn operation(exchanges: &[Value]) -> Vec<Answer> {
    let first = Answer::of(&exchanges[0]["response"]);
    let headers = exchanges[0]["response"]["headers"].as_object().unwrap();
    let url = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("azure-asyncoperation")).unwrap().1;
    let polls = exchanges[1..].iter().filter(|one| uri(one) == url).map(|one| Answer::of(&one["response"]));
    std::iter::once(first).chain(polls).collect()
}

#[tokio::test(start_paused = true)]
async fn each_recorded_seal_is_waited_for_and_proven() {
    let mut seals = 0;
    for (file, exchanges) in recordings() {
        for (i, one) in exchanges.iter().enumerate().filter(|(_, one)| is_seal(one)) {
            if one["response"]["status"] != 202 {
                continue;
            }
            let (id, answers) = (resource_of(one).unwrap(), operation(&exchanges[i..]));
            let url = answers[0].header("azure-asyncoperation").to_owned();
            let azure = Azure::answering(answers);
            let sealed = azure.sealed(&id).await;
            let mode = sealed.map(|resource| resource.data_access_auth_mode);
            assert_eq!(mode, Some(DataAccessAuthMode::AzureActiveDirectory), "{file}: {}", one["label"]);
            assert!(azure.polled().await.iter().all(|polled| *polled == url), "{file}: not as it was given");
            seals += 1;
        }
    }
    assert!(seals > 0, "the sample has a seal");
}

#[tokio::test(start_paused = true)]
async fn each_recorded_disk_and_snapshot_is_read() {
    let mut read = 0;
    for (file, exchanges) in recordings() {
        for one in exchanges.iter().filter(|one| one["request"]["method"] == "GET") {
            let Some(id) = resource_of(one).filter(|_| one["response"]["status"] == 200) else { continue };
            let azure = Azure::answering([Answer::of(&one["response"])]);
            let resource = azure.client.get(&id, Terms::for_event(MINUTE)).await;
            assert_eq!(resource.unwrap().id, id, "{file}: {}", one["label"]);
            read += 1;
        }
    }
    assert!(read > 0, "the sample has a disk");
}

#[tokio::test(start_paused = true)]
async fn each_recorded_refusal_of_a_seal_is_understood() {
    for (file, exchanges) in recordings() {
        for one in exchanges.iter().filter(|one| is_seal(one)) {
            if one["response"]["status"].as_u64().is_none_or(|status| status < 400) {
                continue;
            }
            let azure = Azure::answering([Answer::of(&one["response"])]);
            let mode = DataAccessAuthMode::AzureActiveDirectory.into();
            let update =
                azure.client.update(&resource_of(one).unwrap(), &mode, None, Terms::for_event(MINUTE)).await;
            let error = update.err().unwrap_or_else(|| panic!("{file}: {} is no success", one["label"]));
            assert!(error.code.is_some(), "{file}: {}: {error}", one["label"]);
        }
    }
}
