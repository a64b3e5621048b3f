//! Whose settings a command takes, and what it touches where nobody has said what.

use std::{os::unix::fs::PermissionsExt, path::Path};

use diskseal_emulator::{
    Emulator, Options, disk_body,
    fault::{Fault, Kind, Refusal},
    serve::Serving,
};
use serde_json::json;
use tempfile::TempDir;

use super::{binary, commands::program, disk};
use crate::world::jane;

const APP: &str = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-diskseal/providers/Microsoft.Web/sites/func-diskseal";
const HERE: &str = "11111111-2222-4333-8444-555555555555";
const OTHER: &str = "22222222-2222-4333-8444-555555555555";

/// Disks `a` and `tmp-1` in a subscription, and `b` in another.
async fn azure() -> (Emulator, Serving) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    for id in [disk("a"), disk("tmp-1"), there("b")] {
        azure.insert(&id, &disk_body("westeurope")).unwrap();
    }
    (azure, serving)
}

fn there(name: &str) -> String {
    disk(name).replace(HERE, OTHER)
}

fn sealed(azure: &Emulator) -> Vec<&'static str> {
    let is_sealed =
        |id: &str| azure.get(id).unwrap()["properties"]["dataAccessAuthMode"] == "AzureActiveDirectory";
    let all = [("a", disk("a")), ("tmp-1", disk("tmp-1")), ("b", there("b"))];
    all.iter().filter(|(_, id)| is_sealed(id)).map(|(name, _)| *name).collect()
}

fn writes(azure: &Emulator) -> usize {
    let is_write = |kind| matches!(kind, Kind::Patch | Kind::TagsWrite);
    azure.journal().iter().filter(|exchange| is_write(exchange.kind)).count()
}

/// Exit code, standard output and standard error of a command without a terminal, with these variables.
async fn run(
    serving: &Serving,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut program = program(serving, arguments);
    let output = program.envs(variables.iter().copied()).stdin(std::process::Stdio::null()).output();
    let output = output.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_apps_settings_apply_and_not_those_of_the_shell() {
    let (azure, serving) = azure().await;
    let settings = [
        ("DISKSEAL_MODE", "enforce"),
        ("DISKSEAL_SUBSCRIPTIONS", HERE),
        ("DISKSEAL_EXEMPT_NAMES", "tmp-*"),
        ("DISKSEAL_ARM_ENDPOINT", "https://elsewhere.example"),
        ("SOME_SECRET", "s3cret"),
    ];
    azure.install(APP, &settings);
    let shell = [("DISKSEAL_MODE", "audit"), ("DISKSEAL_MANAGEMENT_GROUP", "mg"), ("DISKSEAL_TAGS", "a=b")];
    for arguments in [&["sweep", "--app", APP][..], &["policy", "check", "--app", APP], &["report"]] {
        let (code, out, err) = run(&serving, arguments, &shell).await;
        assert!(code.is_some_and(|code| code < 2), "{arguments:?}: {out}{err}");
        let whose = format!("diskseal: settings: from the function app {APP}");
        assert_eq!(err.lines().filter(|line| *line == whose).count(), 1, "{arguments:?}: {err}");
        let ignored = "the app's settings apply: DISKSEAL_MODE, DISKSEAL_TAGS, DISKSEAL_MANAGEMENT_GROUP";
        assert!(err.contains(ignored), "{err}");
        assert!(!format!("{out}{err}").contains("s3cret"));
        if arguments[0] == "policy" {
            let exempt = |line: &&str| line.starts_with("DISKSEAL_EXEMPT_NAMES ") && line.ends_with(" tmp-*");
            assert_eq!(out.lines().filter(exempt).count(), 1, "{out}");
        }
    }
    assert_eq!(sealed(&azure), ["a"], "in the app's scope, and not exempt");
    assert_eq!(azure.get(&disk("a")).unwrap()["tags"]["a"], json!(null));

    // A flag goes before; one for the scope replaces the app's scope.
    let flags = ["sweep", "--app", APP, "--subscriptions", OTHER, "--mode", "audit"];
    let (code, out, _) = run(&serving, &flags, &[]).await;
    assert_eq!(
        (code, out.as_str()),
        (Some(1), "would seal      disk b in rg-app\nAudit mode: 1 would be sealed. Nothing was written.\n")
    );
    let (code, ..) =
        run(&serving, &["sweep", "--all-subscriptions", "--exempt-names", "", "--app", APP], &[]).await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["a", "tmp-1", "b"]));
    let (code, _, err) = run(&serving, &["sweep", "--all-subscriptions", "--subscriptions", HERE], &[]).await;
    assert!(code == Some(2) && err.contains("cannot be combined"), "{err}");
}

#[tokio::test]
async fn the_only_installation_is_found_and_of_several_one_has_to_be_given() {
    let (azure, serving) = azure().await;
    azure.put_site(
        &APP.replace("func-", "other-"),
        &[("application", "shop")],
        &[("DISKSEAL_MODE", "enforce")],
    );
    azure.install(APP, &[("DISKSEAL_SUBSCRIPTIONS", HERE), ("DISKSEAL_EXEMPT_NAMES", "tmp-*")]);
    let ids = [disk("a"), disk("tmp-1"), there("b")];
    let seal: Vec<&str> = ["seal"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    // `program` adds a scope, which these tests are about.
    let (code, out, err) = plain(&serving, &seal, &[]).await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["a"]), "{out}{err}");
    assert!(err.contains(&format!("settings: from the function app {APP}")), "{err}");

    let second = APP.replace("func-diskseal", "func-second");
    azure.install(&second, &[("DISKSEAL_MODE", "audit")]);
    azure.clear_journal();
    for arguments in [&["sweep", "--yes"][..], &["sweep", "--subscriptions", HERE], &seal[..2]] {
        let (code, out, err) = plain(&serving, arguments, &[]).await;
        assert_eq!((code, out.as_str(), writes(&azure)), (Some(2), "", 0), "{err}");
        assert!(err.contains(APP) && err.contains(&second), "{err}");
    }
    let (_, _, err) = plain(&serving, &["report"], &[]).await;
    assert!(err.contains("environment (2 installations are visible"), "{err}");
    let none = ["sweep", "--app", "none", "--subscriptions", OTHER];
    let (code, _, err) = plain(&serving, &none, &[]).await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["a", "b"]), "{err}");
}

/// As `run`, with nothing added to the arguments.
async fn plain(
    serving: &Serving,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let managed = [
        ("DISKSEAL_CREDENTIAL", "managed-identity"),
        ("DISKSEAL_ARM_ENDPOINT", &serving.arm_https),
        ("SSL_CERT_FILE", serving.ca_pem.to_str().unwrap()),
        ("IDENTITY_ENDPOINT", &serving.identity),
        ("IDENTITY_HEADER", &serving.identity_header),
    ];
    let mut program = tokio::process::Command::new(binary());
    program.args(arguments).env_clear().envs(managed).envs(variables.iter().copied());
    let output = program.stdin(std::process::Stdio::null()).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn an_app_whose_settings_are_unknown_lets_nothing_be_written() {
    let (azure, serving) = azure().await;
    azure.install(APP, &[("DISKSEAL_EXEMPT_NAMES", "*")]);
    azure.put_site(&APP.replace("func-", "shop-"), &[], &[("COLOUR", "red")]);
    let refused = azure.inject(Fault::refuse(Refusal::authorization_failed()).on(Kind::Other).always());
    let one = disk("a");
    for (arguments, expected) in [
        (&["sweep", "--all-subscriptions"][..], 1),
        (&["sweep", "--all-subscriptions", "--app", APP], 1),
        (&["seal", &one], 1),
        (&["report", "--app", APP], 1),
    ] {
        let (code, out, err) = plain(&serving, arguments, &[]).await;
        assert_eq!((code, out.as_str()), (Some(expected), ""), "{arguments:?}: {err}");
        assert!(err.contains("requires Microsoft.Web/sites/config/list/action"), "{err}");
    }
    let (_, out, err) = plain(&serving, &["report"], &[]).await;
    assert!(!out.is_empty() && err.contains("environment (cannot read the settings of "), "{err}");
    refused.remove();
    let shop = APP.replace("func-", "shop-");
    let (code, _, err) = plain(&serving, &["sweep", "--all-subscriptions", "--app", &shop], &[]).await;
    assert!(code == Some(2) && err.contains("is not an installation"), "{err}");
    azure.install(APP, &[("DISKSEAL_TAGS", "@Microsoft.KeyVault(SecretUri=https://kv.example/s)")]);
    let (code, _, err) = plain(&serving, &["sweep", "--all-subscriptions"], &[]).await;
    assert!(code == Some(2) && err.contains("DISKSEAL_TAGS") && !err.contains("kv.example"), "{err}");
    assert_eq!(writes(&azure), 0);
}

#[tokio::test]
async fn without_an_app_and_without_a_scope_a_managed_identity_has_to_name_one() {
    let (azure, serving) = azure().await;
    let (one, other) = (disk("a"), there("b"));
    for arguments in
        [&["sweep"][..], &["sweep", "--yes"], &["sweep", "--dry-run"], &["seal", "--yes", &one, &other]]
    {
        let (code, out, err) = plain(&serving, arguments, &[]).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains("no scope is set; use --subscriptions,"), "{err}");
        let (code, _, err) = plain(&serving, arguments, &[("DISKSEAL_SUBSCRIPTIONS", ",")]).await;
        assert!(code == Some(2) && err.contains("DISKSEAL_SUBSCRIPTIONS"), "{err}");
    }
    // An app without a scope has that of its identity, which is not that of who runs the command.
    azure.install(APP, &[("DISKSEAL_MODE", "enforce")]);
    assert_eq!(plain(&serving, &["sweep", "--yes"], &[]).await.0, Some(2));
    assert_eq!(writes(&azure), 0);
    let scope = [("DISKSEAL_SUBSCRIPTIONS", OTHER)];
    for app in ["none", APP] {
        assert_eq!(plain(&serving, &["sweep", "--app", app], &scope).await.0, Some(0));
    }
    assert_eq!(plain(&serving, &["seal", &one], &[]).await.0, Some(0));
    assert_eq!(sealed(&azure), ["a", "b"]);
}

/// A folder with a program that behaves like the Azure CLI, and the variables of a person who uses it.
pub(super) fn az(
    azure: &Emulator,
    serving: &Serving,
    account: &str,
) -> (TempDir, Vec<(&'static str, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let token = azure.token_for(&jane(), "https://management.azure.com/");
    let token = json!({"accessToken": token, "expires_on": 4_102_444_800_i64, "tokenType": "Bearer"});
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*get-access-token*) echo '{token}' ;;\n'account show --output json') {account} ;;\nesac\n"
    );
    let path = folder.path().join("az");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let variables = vec![
        ("PATH", format!("{}:/usr/bin:/bin", folder.path().display())),
        ("DISKSEAL_ARM_ENDPOINT", serving.arm_https.clone()),
        ("SSL_CERT_FILE", serving.ca_pem.display().to_string()),
    ];
    (folder, variables)
}

pub(super) fn current() -> String {
    format!("echo '{}'", json!({"environmentName": "AzureCloud", "id": HERE, "isDefault": true}))
}

pub(super) async fn person(
    variables: &[(&str, String)],
    arguments: &[&str],
) -> (Option<i32>, String, String) {
    let mut program = tokio::process::Command::new(binary());
    program.args(arguments).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
    let output = program.stdin(std::process::Stdio::null()).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_person_without_app_and_scope_works_in_the_current_subscription_after_a_yes() {
    let (azure, serving) = azure().await;
    let (_folder, variables) = az(&azure, &serving, &current());
    let ids = [disk("tmp-1"), there("b")];
    for arguments in [&["sweep"][..], &["seal", &ids[0], &ids[1]]] {
        let (code, out, err) = person(&variables, arguments).await;
        assert_eq!((code, out.as_str(), writes(&azure)), (Some(2), "", 0), "{err}");
        assert!(err.contains("there is no terminal for a confirmation") && err.contains("--yes"), "{err}");
    }
    let (code, out, err) = person(&variables, &["sweep", "--dry-run"]).await;
    assert_eq!((code, writes(&azure)), (Some(0), 0), "{err}");
    assert!(
        out.ends_with("Dry run: 2 would be sealed. Nothing was written.\n") && !out.contains("disk b "),
        "{out}"
    );
    assert!(err.contains(&format!("scope: az's current subscription, {HERE}")), "{err}");

    let (code, out, err) = person(&variables, &["seal", "--yes", &ids[0], &ids[1]]).await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["tmp-1"]), "{out}{err}");
    assert!(out.contains(&super::line_of("exempt", &ids[1])), "{out}");
    let (code, out, err) = person(&variables, &["sweep", "--yes"]).await;
    assert_eq!(
        (code, out.as_str(), sealed(&azure)),
        (Some(0), "sealed          disk a in rg-app\n1 sealed, 1 sealed before.\n", vec!["a", "tmp-1"]),
        "{err}"
    );
    // One resource needs no question, and a scope neither.
    let (code, ..) = person(&variables, &["seal", &ids[1]]).await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["a", "tmp-1", "b"]));
    assert_eq!(person(&variables, &["sweep", "--subscriptions", HERE]).await.0, Some(0));

    // Without a current subscription there is nothing to guess.
    for account in ["exit 1", "echo '{}'", "echo '{\"id\": \"../x\"}'", "echo"] {
        let (_folder, variables) = az(&azure, &serving, account);
        let (code, out, err) = person(&variables, &["sweep", "--yes"]).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains("returned no subscription"), "{err}");
    }
}

/// A terminal, by util-linux's `script`.
async fn on_terminal(
    folder: &Path,
    variables: &[(&str, String)],
    arguments: &str,
    answer: &str,
) -> (Option<i32>, String) {
    let command = format!("{} {arguments}", binary().display());
    let mut program = tokio::process::Command::new("/usr/bin/script");
    program.args(["-qec", &command, "/dev/null"]).env_clear();
    program.envs(variables.iter().map(|(name, value)| (name, value))).env("SHELL", "/bin/sh");
    let input = folder.join("answer");
    std::fs::write(&input, answer).unwrap();
    let output = program.stdin(std::fs::File::open(input).unwrap()).output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}

#[tokio::test]
async fn on_a_terminal_the_plan_is_shown_and_only_a_yes_writes() {
    let (azure, serving) = azure().await;
    let (folder, variables) = az(&azure, &serving, &current());
    let (one, other) = (disk("a"), disk("tmp-1"));
    for (arguments, answer) in [("sweep".to_owned(), "n\n"), (format!("seal {one} {other}"), "\n")] {
        let (code, shown) = on_terminal(folder.path(), &variables, &arguments, answer).await;
        assert_eq!((code, writes(&azure)), (Some(1), 0), "{shown}");
        for line in [&one, &other, &format!("2 in subscription {HERE}"), "Seal 2 resources? [y/N] "] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(!shown.contains(OTHER) && shown.contains("nothing was sealed"), "{shown}");
    }
    let (code, shown) = on_terminal(folder.path(), &variables, "sweep", "y\n").await;
    assert_eq!((code, sealed(&azure)), (Some(0), vec!["a", "tmp-1"]), "{shown}");
}

#[tokio::test]
async fn unseal_warns_where_the_handler_does_not_read_the_tag_that_it_writes() {
    let (azure, serving) = azure().await;
    let id = disk("a");
    // A day that is further away causes a warning of its own.
    let until = (time::OffsetDateTime::now_utc().date() + time::Duration::days(30)).to_string();
    let unseal = ["unseal", "--yes", "--until", &until, "--reason", "INC-1", &id];
    let warned = async |more: &[&str]| {
        let (code, out, err) = plain(&serving, &[&unseal[..], more].concat(), &[]).await;
        assert!(code == Some(0) && out.contains("unsealed"), "{out}{err}");
        let warning = |line: &str| line.strip_prefix("diskseal: warning: ").map(str::to_owned);
        err.lines().find_map(warning).unwrap_or_default()
    };
    let keep = ["--exempt-tag", "keep"];
    assert!(warned(&keep).await.starts_with("the function app's settings are unknown"));
    azure.install(APP, &[("DISKSEAL_MODE", "enforce")]);
    assert!(warned(&keep).await.contains("has no DISKSEAL_EXEMPT_TAG"));
    azure.install(APP, &[("DISKSEAL_EXEMPT_TAG", "other")]);
    assert!(warned(&keep).await.contains("reads the exemption tag other, not keep"));
    azure.install(APP, &[("DISKSEAL_EXEMPT_TAG", "Keep")]);
    assert_eq!(warned(&keep).await, "");
    assert_eq!(warned(&[]).await, "", "the app's tag is the one that is written");
}

#[tokio::test]
async fn a_variable_that_is_an_unresolved_reference_is_named_and_its_value_is_not() {
    let (_azure, serving) = azure().await;
    let reference = "@Microsoft.KeyVault(SecretUri=https://kv.example/secrets/s)";
    let variables = [("OTEL_EXPORTER_OTLP_HEADERS", reference), ("OTEL_SERVICE_NAME", "@Contoso.x")];
    let (code, _, err) = plain(&serving, &["report"], &variables).await;
    assert!(code.is_some_and(|code| code < 2), "{err}");
    assert!(
        err.contains("OTEL_EXPORTER_OTLP_HEADERS holds an unresolved reference")
            && !err.contains("kv.example"),
        "{err}"
    );
    assert!(!err.contains("OTEL_SERVICE_NAME"), "{err}");
    for setting in ["DISKSEAL_TAGS", "DISKSEAL_SWITCH", "AZURE_CLIENT_ID", "DISKSEAL_SWEEP_SCHEDULE"] {
        let (code, _, err) = plain(&serving, &["report"], &[(setting, reference)]).await;
        assert!(code == Some(2) && err.contains(setting) && !err.contains("kv.example"), "{err}");
    }
}

#[test]
fn both_ways_of_deploying_set_the_tag_by_which_the_app_is_found() {
    let bicep = include_str!("../../../infra/main.bicep");
    assert!(bicep.contains("var allTags = union(tags, {\n  application: 'diskseal'\n})"));
    let terraform = include_str!("../../../infra/terraform/main.tf");
    assert!(terraform.contains("merge(var.tags, { application = \"diskseal\" })"));
    for (app, tags) in [
        (include_str!("../../../infra/modules/function.bicep"), "  tags: tags\n  kind: 'functionapp,linux'"),
        (include_str!("../../../infra/terraform/function.tf"), "  tags      = local.tags\n"),
    ] {
        assert!(app.contains(tags), "{tags}");
    }
}
