//! Each way in which the identity can prove itself, chosen by a setting.

use std::time::Duration;

use diskseal_emulator::{
    azure_cli::{AzureCli, Run},
    disk_body,
    fault::{Fault, Kind},
    local_azure::LocalAzure,
};

use super::{disk, is_sealed, settings, setup, start, start_one};
use crate::world::{jane, ourselves};

/// The object ID of the writes, as ARM saw it.
async fn seal_one(azure: &LocalAzure) -> Option<String> {
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(azure, &disk("d")), "{:?}", azure.host.console());
    let exchanges = azure.emulator.requests_for(&disk("d"));
    exchanges.last().and_then(|exchange| exchange.object_id.clone())
}

#[tokio::test]
async fn a_managed_identity_is_the_systems_unless_a_client_id_names_another() {
    let azure = start(setup(), &[]).await;
    let options = azure.emulator.options().clone();
    assert_eq!(seal_one(&azure).await, Some(options.identity.object_id));

    let azure = start(setup(), &[("AZURE_CLIENT_ID", "")]).await;
    assert_eq!(seal_one(&azure).await, options.system_identity.map(|identity| identity.object_id));
}

#[tokio::test]
async fn a_workload_identity_shows_its_federated_token() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "federated").unwrap();
    let azure = LocalAzure::start(setup(), |serving| {
        let mut settings = settings(
            serving,
            &[
                ("DISKSEAL_CREDENTIAL", "workload-identity"),
                ("AZURE_TENANT_ID", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"),
                ("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap()),
                ("AZURE_AUTHORITY_HOST", &serving.arm_https),
            ],
        );
        settings.extend([("IDENTITY_ENDPOINT".to_owned(), String::new())]);
        settings
    })
    .await
    .unwrap();
    let expected = ourselves(&azure.emulator).object_id;
    assert_eq!(seal_one(&azure).await, Some(expected));
}

#[tokio::test]
async fn the_azure_cli_is_asked_for_the_token_of_whoever_is_signed_in() {
    let az = AzureCli::new().unwrap();
    let settings = [("DISKSEAL_CREDENTIAL", "azure-cli"), ("PATH", &az.path())];
    let azure = start_one(setup(), &settings).await;
    // The CLI is asked for a token on demand, so the local Azure can sign one by then.
    let token = azure.emulator.token_for(&jane(), "https://management.azure.com/");
    az.does(&Run::Prints { after: Duration::ZERO, token, expires_on: 4_102_444_800 }).unwrap();
    // Jane's own writes are echoes to a handler that is signed in as Jane.
    let bob = diskseal_emulator::write::Caller::user("0b0b0b0b-0000-4000-8000-000000000002", "Bob");
    azure.emulator.put(&disk("d"), &bob, &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")), "{:?}", azure.host.console());
    let exchanges = azure.emulator.requests_for(&disk("d"));
    assert_eq!(exchanges.last().unwrap().object_id, Some(jane().object_id));
    assert_eq!(
        az.runs(),
        ["account get-access-token -o json --scope https://management.azure.com//.default"]
    );
}

#[tokio::test]
async fn concurrent_requests_share_one_token_from_a_slow_endpoint() {
    let azure = start_one(setup(), &[]).await;
    // Else the first process may ask for its own after the journal is cleared.
    azure.emulator.wait_for(|exchange| exchange.kind == Kind::Token).await;
    let slow = Fault::delay(Duration::from_secs(2)).on(Kind::Token).always();
    azure.emulator.inject(slow);
    // The handler fetches the first token at its start, so only a new process has none.
    azure.host.kill("seal_on_write").await;
    azure.emulator.clear_journal();
    azure.host.ready().await.unwrap();
    let ids: Vec<_> = (0..20).map(|n| disk(&format!("d{n}"))).collect();
    for id in &ids {
        azure.emulator.put(id, &jane(), &disk_body("westeurope")).unwrap();
    }
    azure.event_grid.idle().await;
    assert!(ids.iter().all(|id| is_sealed(&azure, id)));
    let tokens = azure.emulator.journal().iter().filter(|exchange| exchange.kind == Kind::Token).count();
    assert_eq!(tokens, 1);
}
