//! How often a token is asked for, what is taken for one, and what happens while there is none.

use std::time::Duration;

use diskseal_emulator::{
    Emulator, Options,
    azure_cli::{AzureCli, Run, account},
    disk_body,
    fault::{Fault, Kind, Refusal},
    host::Trigger,
    local_azure::LocalAzure,
    options::TokenForm,
    serve::Serving,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{binary, disk, event, is_sealed, run, setup, start, start_one};
use crate::world::{SUBSCRIPTION, jane};

const FAR: i64 = 4_102_444_800;

fn tokens(azure: &Emulator) -> usize {
    azure.journal().iter().filter(|exchange| exchange.kind == Kind::Token).count()
}

/// The environment of a command that signs in with the Azure CLI, which is the default.
fn environment(serving: &Serving, az: &AzureCli) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", az.path()),
        ("SSL_CERT_FILE", serving.ca_pem.display().to_string()),
        ("DISKSEAL_ARM_ENDPOINT", serving.arm_https.clone()),
    ]
}

async fn command(
    serving: &Serving,
    az: &AzureCli,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> (Option<i32>, String) {
    let environment = environment(serving, az);
    let all = environment.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied());
    let output = run(arguments, &all.collect::<Vec<_>>()).await;
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Azure, and the Azure CLI with a token of Jane after a while.
async fn signed_in(after: Duration) -> (Emulator, Serving, AzureCli) {
    let azure = Emulator::new(Options::immediate());
    let serving = azure.serve().await.unwrap();
    let az = AzureCli::new().unwrap();
    let token = azure.token_for(&jane(), "https://management.azure.com/");
    az.does(&Run::Prints { after, token, expires_on: FAR }).unwrap();
    (azure, serving, az)
}

#[tokio::test]
async fn the_azure_cli_is_asked_once_whatever_a_command_does() {
    let (azure, serving, az) = signed_in(Duration::from_millis(300)).await;
    let ids: Vec<_> = (0..200).map(|n| disk(&format!("d{n}"))).collect();
    for id in &ids {
        azure.insert(id, &disk_body("westeurope")).unwrap();
    }
    let arguments = ["sweep", "--all-subscriptions", "--concurrency", "64"];
    let (code, fault) = command(&serving, &az, &arguments, &[]).await;
    assert_eq!(code, Some(0), "{fault}");
    assert_eq!((az.runs().len(), az.most_at_once()), (1, 1));
    assert!(azure.journal().len() > 200);
    let (code, fault) = command(&serving, &az, &["report"], &[]).await;
    assert_eq!((code, az.runs().len()), (Some(0), 2), "{fault}");
}

#[tokio::test]
async fn the_time_of_the_azure_cli_is_not_a_disks() {
    let (azure, serving, az) = signed_in(Duration::from_secs(3)).await;
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    let deadline = [("DISKSEAL_DEADLINE", "2")];
    // Without an app, the first request is for the disk.
    let arguments = ["seal", "--app", "none", &disk("d")];
    let (code, fault) = command(&serving, &az, &arguments, &deadline).await;
    assert_eq!(code, Some(0), "{fault}");
    assert_eq!(azure.get(&disk("d")).unwrap()["tags"]["diskseal-auth-mode"], "AzureActiveDirectory");
}

#[tokio::test]
async fn the_azure_cli_that_hangs_is_named_and_ends_with_the_command() {
    let (azure, serving, az) = signed_in(Duration::ZERO).await;
    az.does(&Run::Hangs).unwrap();
    let (code, fault) = command(&serving, &az, &["seal", &disk("d")], &[]).await;
    assert_eq!(code, Some(3), "{fault}");
    assert!(fault.contains("the Azure CLI did not answer in time"), "{fault}");
    assert!(!fault.contains("ARM did not"), "{fault}");
    az.ends().await;
    assert_eq!((az.runs().len(), azure.journal().len()), (1, 0));
}

#[tokio::test]
async fn the_azure_cli_ends_with_a_command_that_is_interrupted() {
    let (_azure, serving, az) = signed_in(Duration::ZERO).await;
    az.does(&Run::Hangs).unwrap();
    let mut command = tokio::process::Command::new(binary());
    command.args(["report"]).env_clear().envs(environment(&serving, &az)).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    az.hangs().await;
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    az.ends().await;
}

#[tokio::test]
async fn the_azure_cli_that_hangs_on_the_subscription_is_named_and_ends() {
    let (azure, serving, az) = signed_in(Duration::ZERO).await;
    az.shows(&Run::Hangs).unwrap();
    let (code, fault) = command(&serving, &az, &["sweep", "--yes"], &[]).await;
    assert_eq!(code, Some(2), "{fault}");
    assert!(fault.contains("the Azure CLI did not answer in time"), "{fault}");
    az.ends().await;

    az.shows(&Run::PrintsText(account(SUBSCRIPTION).to_string())).unwrap();
    azure.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    let (code, fault) = command(&serving, &az, &["sweep", "--yes"], &[]).await;
    assert_eq!(code, Some(0), "{fault}");
    assert_eq!(azure.get(&disk("d")).unwrap()["tags"]["diskseal-auth-mode"], "AzureActiveDirectory");
}

#[tokio::test]
async fn the_azure_cli_says_why_there_is_no_token() {
    let (azure, serving, az) = signed_in(Duration::ZERO).await;
    az.does(&Run::Fails("ERROR: Please run 'az login' to setup account.".to_owned())).unwrap();
    let (code, fault) = command(&serving, &az, &["seal", &disk("d")], &[]).await;
    assert_eq!(code, Some(3), "{fault}");
    assert!(
        fault.contains("the Azure CLI is not signed in, or its sign-in has expired; run az login"),
        "{fault}"
    );
    assert!(azure.journal().is_empty());
}

#[tokio::test]
async fn a_handler_names_the_azure_cli_that_hangs_and_takes_it_along() {
    let az = AzureCli::new().unwrap();
    az.does(&Run::Hangs).unwrap();
    let settings = [("DISKSEAL_CREDENTIAL", "azure-cli"), ("PATH", &az.path()), ("DISKSEAL_DEADLINE", "1")];
    let azure = start_one(setup(), &settings).await;
    let ids: Vec<_> = (0..5).map(|n| disk(&format!("d{n}"))).collect();
    for id in &ids {
        azure.emulator.insert(id, &disk_body("westeurope")).unwrap();
        let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event(id))).await.unwrap();
        assert!(!invocation.succeeded());
    }
    azure.host.wait_for_line(|line| line.text.contains("the Azure CLI did not answer in time")).await;
    assert_eq!((az.runs().len(), az.is_hanging()), (1, true));
    let pid = azure.host.pid("seal_on_write").unwrap();
    azure.host.terminate("seal_on_write");
    azure.host.wait_exit(pid).await;
    az.ends().await;
}

/// A handler whose identity endpoint answers in one form, and the seal of three disks.
async fn sealed_with(form: TokenForm) -> (LocalAzure, bool) {
    let mut setup = setup();
    setup.azure.token_form = form;
    let azure = start_one(setup, &[("DISKSEAL_DEADLINE", "5")]).await;
    let ids: Vec<_> = (0..3).map(|n| disk(&format!("d{n}"))).collect();
    for id in &ids {
        azure.emulator.insert(id, &disk_body("westeurope")).unwrap();
        azure.host.invoke("seal_on_write", Trigger::Event(event(id))).await.unwrap();
    }
    let is_all = ids.iter().all(|id| is_sealed(&azure, id));
    (azure, is_all)
}

#[tokio::test]
async fn every_form_of_the_endpoints_answer_is_a_token() {
    for form in [
        TokenForm::Documented,
        TokenForm::Number,
        TokenForm::Fraction,
        TokenForm::Date,
        TokenForm::TwelveHourDate,
        TokenForm::ExpiresIn,
        TokenForm::Bare,
        TokenForm::ByteOrderMark,
        TokenForm::Expired,
    ] {
        let (azure, is_sealed) = sealed_with(form).await;
        assert!(is_sealed, "{form:?}: {:?}", azure.host.console());
        assert_eq!(tokens(&azure.emulator), 1, "{form:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_no_token() {
    let (azure, is_sealed) = sealed_with(TokenForm::Endless).await;
    assert!(!is_sealed);
    azure.host.wait_for_line(|line| line.text.contains("more than 262144 bytes")).await;
    assert!(azure.emulator.requests_for(&disk("d0")).is_empty());
}

#[tokio::test]
async fn a_token_that_is_still_valid_is_used_while_its_replacement_is_late() {
    for fault in [
        Fault::hold_before_applying(),
        Fault::refuse(Refusal::throttled_identity(10)),
        Fault::refuse(Refusal::server_error(500)),
        Fault::reset(),
    ] {
        let mut setup = setup();
        // Shorter than the time before the end at which a token is replaced.
        setup.azure.token_lifetime = Duration::from_secs(200);
        let azure = start(setup, &[("DISKSEAL_DEADLINE", "25")]).await;
        // The first token is fetched at the start; the second request is refused or held.
        azure.emulator.put(&disk("first"), &jane(), &disk_body("westeurope")).unwrap();
        azure.event_grid.idle().await;
        let trouble = format!("{fault:?}");
        azure.emulator.inject(fault.on(Kind::Token).always());
        let ids: Vec<_> = (0..10).map(|n| disk(&format!("d{n}"))).collect();
        for id in &ids {
            azure.emulator.put(id, &jane(), &disk_body("westeurope")).unwrap();
        }
        azure.event_grid.idle().await;
        assert!(ids.iter().all(|id| is_sealed(&azure, id)), "{trouble}");
        assert!(azure.host.invocations().iter().all(diskseal_emulator::host::Invocation::succeeded));
    }
}

#[tokio::test]
async fn a_tenant_that_refuses_every_token_does_not_cost_one_for_each_event() {
    let azure = start_one(setup(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::expired_token()).on(Kind::Get).always());
    for n in 0..10 {
        let id = disk(&format!("d{n}"));
        azure.emulator.insert(&id, &disk_body("westeurope")).unwrap();
        azure.host.invoke("seal_on_write", Trigger::Event(event(&id))).await.unwrap();
    }
    assert_eq!(tokens(&azure.emulator), 2);
}

#[tokio::test]
async fn time_for_a_token_is_named_where_arm_had_too_little() {
    let azure = start(setup(), &[("DISKSEAL_DEADLINE", "4")]).await;
    azure.emulator.inject(Fault::delay(Duration::from_secs(3)).on(Kind::Token).always());
    azure.emulator.inject(Fault::hold_before_applying().on(Kind::Get).always());
    azure.emulator.insert(&disk("d"), &disk_body("westeurope")).unwrap();
    // The handler fetches the first token at its start, so only a new process has none.
    azure.host.kill("seal_on_write").await;
    azure.host.ready().await.unwrap();
    azure.host.invoke("seal_on_write", Trigger::Event(event(&disk("d")))).await.unwrap();
    azure.host.wait_for_line(|line| line.text.contains("s of the time limit")).await;
}
