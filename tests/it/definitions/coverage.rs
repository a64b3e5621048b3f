//! Which source confirms each response that Diskseal can receive. Prints the table; a row without a source
//! fails.

use std::{collections::BTreeSet, fs, path::Path};

use diskseal_emulator::definitions::{Definitions, EXCEPTIONS, fixtures_or_notice};
use serde_json::Value;

use super::read;

const FAILURES: [&str; 10] = ["400", "401", "403", "404", "409", "429", "500", "502", "503", "504"];

/// The requests of Diskseal, and their successful responses.
const ASKED: [(&str, &[&str]); 13] = [
    ("Disks_Get", &["200"]),
    ("Snapshots_Get", &["200"]),
    ("Disks_Update", &["200", "202"]),
    ("Snapshots_Update", &["200", "202"]),
    ("Tags_UpdateAtScope", &["200", "202"]),
    ("Disks_List", &["200"]),
    ("Snapshots_List", &["200"]),
    ("Resources", &["200"]),
    ("operation", &["InProgress", "Succeeded", "Failed", "Canceled", "202"]),
    ("subscriptions", &["200"]),
    ("machine", &["200"]),
    ("descendants", &["200"]),
    ("token", &["200"]),
];

type Answers = BTreeSet<(String, String)>;

/// The recorded responses, each by operation and status.
fn recorded(fixtures: &Path, definitions: &Definitions) -> Answers {
    let answer = |method: &str, url: &str, response: &Value| {
        let path = url.trim_start_matches("https://management.azure.com").split('?').next().unwrap();
        match definitions.operation_of(method, path) {
            Some(operation) => (operation.to_owned(), response["status"].to_string()),
            None if path.contains("/DiskOperations/") => {
                let status = response["body"]["status"].as_str().unwrap_or("result");
                ("operation".to_owned(), status.to_owned())
            }
            None => panic!("{method} {path} is no operation"),
        }
    };
    let mut found = Answers::new();
    for entry in fs::read_dir(fixtures.join("recorded")).unwrap() {
        let recording = read(&entry.unwrap().path());
        for exchange in recording["exchanges"].as_array().into_iter().flatten() {
            let request = &exchange["request"];
            let url = request["uri"].as_str().unwrap();
            found.insert(answer(request["method"].as_str().unwrap(), url, &exchange["response"]));
        }
        if let Some(path) = recording["request"]["path"].as_str() {
            // A request without its response confirms nothing.
            if recording["response"].is_object() {
                found.insert(answer(
                    recording["request"]["method"].as_str().unwrap(),
                    path,
                    &recording["response"],
                ));
            }
        } else if recording["body"]["value"].is_array() {
            // A list of disks whose request was not recorded.
            found.insert(("Disks_List".to_owned(), recording["status"].to_string()));
        }
    }
    found
}

/// The responses that `docs/azure-unknowns.md` lists, with the number of each.
fn unknown() -> Vec<(String, String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/azure-unknowns.md");
    let page = fs::read_to_string(page).unwrap();
    let mut found = vec![];
    for row in page.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let (operations, statuses) = cells[2].split_once(": ").unwrap();
        for operation in operations.split(", ") {
            for status in statuses.split(", ") {
                let operation = operation.trim_matches('`').to_owned();
                found.push((operation, status.to_owned(), cells[1].to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_answer_that_we_can_meet_has_a_judge() {
    let Some(fixtures) = fixtures_or_notice() else { return };
    let definitions = Definitions::load(&fixtures).unwrap();
    let (recorded, unknown) = (recorded(&fixtures, &definitions), unknown());
    println!("{:<20}{:<12}{:<24}{:<12}azure-unknowns", "operation", "answer", "definition", "recording");
    let mut unjudged = vec![];
    for (operation, successes) in ASKED {
        let is_read = !operation.contains("_Update");
        let failures = FAILURES.iter().filter(|status| !(is_read && **status == "409"));
        for status in successes.iter().chain(failures) {
            let number = status.parse().unwrap_or(0);
            let definition = if definitions.declares(operation, number) {
                "declared"
            } else if number >= 400 && definitions.declares_errors(operation) {
                "declared as default"
            } else if number >= 400 && definitions.operation_ids().any(|id| id == operation) {
                "common error only"
            } else {
                "-"
            };
            let is_recorded = recorded.contains(&(operation.to_owned(), (*status).to_owned()));
            let recording = if is_recorded { "recorded" } else { "-" };
            let row = unknown.iter().find(|row| (row.0.as_str(), row.1.as_str()) == (operation, status));
            let number = row.map_or("-", |row| row.2.as_str());
            println!("{operation:<20}{status:<12}{definition:<24}{recording:<12}{number}");
            if !definition.starts_with("declared") && !is_recorded && row.is_none() {
                unjudged.push(format!("{operation} {status}"));
            }
        }
    }
    for exception in EXCEPTIONS {
        println!("except {}/{}: {}", exception.definition, exception.member, exception.why);
    }
    assert!(unjudged.is_empty(), "no judge for {}", unjudged.join(", "));
}
