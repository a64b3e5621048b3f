//! `diskseal unseal`, with the real binary: it unseals, and nothing seals again too soon.

use diskseal_emulator::{
    Emulator, Options, disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
    snapshot_body,
};
use serde_json::Value;

use super::{commands::command, disk, line_of, snapshot};

const EXEMPT: [&str; 2] = ["--exempt-tag", "diskseal-exempt"];
const UNTIL: [&str; 4] = ["--until", "2999-12-31", "--reason", "INC-1234 restore test"];
const EXEMPTION: &str = "until=2999-12-31; INC-1234 restore test";

async fn sealed(options: Options, names: &[&str]) -> (Emulator, Serving) {
    let azure = Emulator::new(options);
    let serving = azure.serve().await.unwrap();
    let ids: Vec<String> = names.iter().map(|name| disk(name)).collect();
    for id in &ids {
        azure.insert(id, &disk_body("westeurope")).unwrap();
    }
    let (code, ..) = command(&serving, &["seal"], &ids.join("\n")).await;
    assert_eq!(code, Some(0));
    azure.clear_journal();
    (azure, serving)
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["unseal"].iter().chain(&EXEMPT).chain(&UNTIL).chain(more).copied().collect()
}

fn mode(azure: &Emulator, id: &str) -> Value {
    azure.get(id).unwrap()["properties"]["dataAccessAuthMode"].clone()
}

#[tokio::test]
async fn the_exemption_is_there_before_the_seal_goes_and_keeps_it_off() {
    for options in [Options::immediate(), Options::default()] {
        let (azure, serving) = sealed(options, &["a"]).await;
        azure.insert(&snapshot("b"), &snapshot_body("westeurope", &disk("a"))).unwrap();
        let (a, b) = (disk("a"), snapshot("b"));
        let (code, out, err) = command(&serving, &arguments(&["--yes", &a, &b]), "").await;
        assert_eq!(code, Some(0), "{out}{err}");
        let mut lines: Vec<_> = out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, [line_of("unsealed", &a), line_of("unsealed", &b)]);

        let resource = azure.get(&a).unwrap();
        assert_eq!(resource["properties"]["dataAccessAuthMode"], "None");
        assert_eq!(resource["tags"]["diskseal-exempt"], EXEMPTION);
        assert_eq!(
            resource["tags"].as_object().unwrap().len(),
            1,
            "the seal's tags would claim what is not so"
        );
        let writes: Vec<_> = azure
            .journal()
            .into_iter()
            .filter(|exchange| exchange.method == "PATCH" && exchange.path.contains("/disks/"))
            .map(|exchange| exchange.kind)
            .collect();
        assert_eq!(writes, [Kind::TagsWrite, Kind::TagsWrite, Kind::Patch]);

        // The next look leaves it, and another unseal has nothing to do.
        let (_, out, _) = command(&serving, &["seal", EXEMPT[0], EXEMPT[1], &a], "").await;
        assert_eq!(
            out.trim_end(),
            format!("{}: its tag exempts it until 2999-12-31: INC-1234 restore test", line_of("exempt", &a))
        );
        let (code, out, _) = command(&serving, &arguments(&["--yes", &a]), "").await;
        assert_eq!((code, out), (Some(0), format!("{}\n", line_of("already unsealed", &a))));
        assert_eq!(mode(&azure, &a), "None");
    }
}

#[tokio::test]
async fn a_stop_half_way_leaves_the_disk_sealed_and_exempt_and_the_next_run_goes_on() {
    let (azure, serving) = sealed(Options::immediate(), &["a"]).await;
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch));
    let (code, out, _) = command(&serving, &arguments(&["--yes", &disk("a")]), "").await;
    assert_eq!(code, Some(1));
    assert!(
        out.starts_with(&format!(
            "{}: setting dataAccessAuthMode failed: 409",
            line_of("not unsealed", &disk("a"))
        )),
        "{out}"
    );
    assert_eq!(mode(&azure, &disk("a")), "AzureActiveDirectory");
    assert_eq!(azure.get(&disk("a")).unwrap()["tags"]["diskseal-exempt"], EXEMPTION);

    let (code, out, _) = command(&serving, &arguments(&["--yes", &disk("a")]), "").await;
    assert_eq!((code, out), (Some(0), format!("{}\n", line_of("unsealed", &disk("a")))));
    assert_eq!(mode(&azure, &disk("a")), "None");

    // If the exemption cannot be written, nothing else is written.
    let (azure, serving) = sealed(Options::immediate(), &["b"]).await;
    azure.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::TagsWrite).always());
    let (code, ..) = command(&serving, &arguments(&["--yes", &disk("b")]), "").await;
    assert_eq!((code, mode(&azure, &disk("b"))), (Some(1), "AzureActiveDirectory".into()));
    assert!(!azure.journal().iter().any(|exchange| exchange.kind == Kind::Patch));
}

#[tokio::test]
async fn wrong_use_sends_nothing() {
    let (azure, serving) = sealed(Options::immediate(), &["a"]).await;
    let id = disk("a");
    let long = "r".repeat(300);
    for (arguments, expected) in [
        (vec!["unseal", "--yes", UNTIL[0], UNTIL[1], UNTIL[2], UNTIL[3], &id], "DISKSEAL_EXEMPT_TAG"),
        (vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], UNTIL[0], UNTIL[1], &id], "--reason"),
        (vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], UNTIL[2], UNTIL[3], &id], "--until"),
        (
            vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], "--until", "2001-01-01", "--reason", "x", &id],
            "is in the past",
        ),
        (
            vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], "--until", "31.1.", "--reason", "x", &id],
            "is not a date",
        ),
        (
            vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], UNTIL[0], UNTIL[1], "--reason", " ", &id],
            "reason is empty",
        ),
        (
            vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], UNTIL[0], UNTIL[1], "--reason", "a\nb", &id],
            "control",
        ),
        (
            vec!["unseal", "--yes", EXEMPT[0], EXEMPT[1], UNTIL[0], UNTIL[1], "--reason", &long, &id],
            "318 characters",
        ),
        (arguments(&["--yes", "nonsense"]), "nonsense"),
        (arguments(&[&id]), "--yes"),
    ] {
        let (code, out, err) = command(&serving, &arguments, "y\n").await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    // What can only be said with the installation's settings is said after they were looked for.
    let is_lookup = |kind| matches!(kind, Kind::Query | Kind::Token);
    assert!(azure.journal().iter().all(|exchange| is_lookup(exchange.kind)), "{:?}", azure.journal());
}

#[tokio::test]
async fn audit_mode_never_unseals_and_what_is_not_found_is_named() {
    let (azure, serving) = sealed(Options::immediate(), &["a"]).await;
    let (a, missing) = (disk("a"), disk("missing"));
    let input = format!("{a}\n{missing}\n");
    let (code, out, _) = command(&serving, &arguments(&["--yes", "--mode", "audit"]), &input).await;
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        (code, lines),
        (Some(1), vec![line_of("not found", &missing).as_str(), &line_of("would unseal", &a)])
    );
    assert!(azure.journal().iter().all(|exchange| exchange.method == "GET" || exchange.kind == Kind::Query));

    azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Token).always());
    let (code, ..) = command(&serving, &arguments(&["--yes", &a]), "").await;
    assert_eq!(code, Some(3));
}

#[tokio::test]
async fn ctrl_c_stops_with_a_summary_and_the_disk_sealed() {
    let (azure, serving) = sealed(Options::immediate(), &["a"]).await;
    let held = azure.inject(Fault::hold_before_applying().on(Kind::Patch));
    let child = tokio::process::Command::new(super::binary())
        .args(arguments(&["--yes", &disk("a")]))
        .args(["--arm-endpoint", &serving.arm_https, "--credential", "managed-identity"])
        .env_clear()
        .env("SSL_CERT_FILE", &serving.ca_pem)
        .env("IDENTITY_ENDPOINT", &serving.identity)
        .env("IDENTITY_HEADER", &serving.identity_header)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    held.held().await;
    let process = child.id().unwrap().to_string();
    tokio::process::Command::new("kill").args(["-INT", &process]).status().await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), out.as_str()), (Some(130), ""));
    held.cut_off();
    assert_eq!(mode(&azure, &disk("a")), "AzureActiveDirectory");
    assert_eq!(azure.get(&disk("a")).unwrap()["tags"]["diskseal-exempt"], EXEMPTION);
}
