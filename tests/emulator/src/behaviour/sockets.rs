//! The same over loopback, with a client that does not use the emulator's code.

use std::sync::Once;

use reqwest::{Certificate, Client as HttpClient};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;

use super::{SUBSCRIPTION, VERSION, mode, user};
use crate::{
    Emulator, disk_body,
    estate::disk_id,
    fault::{Fault, Kind},
    options::Options,
    serve::Serving,
};

fn client(serving: &Serving) -> HttpClient {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| ring::default_provider().install_default().unwrap());
    let pem = std::fs::read(serving.ca_pem()).unwrap();
    HttpClient::builder().tls_certs_only([Certificate::from_pem(&pem).unwrap()]).build().unwrap()
}

#[tokio::test]
async fn both_schemes_lead_to_the_same_azure() {
    let emulator = Emulator::new(Options::default());
    let serving = emulator.serve().await.unwrap();
    let client = client(&serving);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let token = emulator.token_for(&user(), "https://management.azure.com/");
    for base in [&serving.arm_https, &serving.arm_http] {
        let accepted = client
            .patch(format!("{base}{id}?{VERSION}"))
            .bearer_auth(&token)
            .header("content-type", "application/json")
            .body(mode().to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(accepted.status(), 202);
        let status = accepted.headers()["azure-asyncoperation"].to_str().unwrap().to_owned();
        assert!(status.starts_with(base.as_str()) && status.len() > 4096, "by the way that it came");
        let poll = client.get(&status).bearer_auth(&token).send().await.unwrap();
        assert_eq!(poll.status(), 200);
        assert_eq!(poll.headers().get_all("server").iter().count(), 2);
    }
    assert_eq!(emulator.journal().len(), 4);
}

#[tokio::test]
async fn the_identity_endpoint_is_served() {
    let emulator = Emulator::new(Options::immediate());
    let serving = emulator.serve().await.unwrap();
    let url = format!("{}?resource=https://management.azure.com/&api-version=2019-08-01", serving.identity);
    let request = client(&serving).get(url).header("X-IDENTITY-HEADER", &serving.identity_header);
    let text = request.send().await.unwrap().text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["token_type"], json!("Bearer"));
    let url = format!("{}?resource=r&api-version=2018-02-01", serving.instance_metadata());
    assert_eq!(client(&serving).get(url).header("Metadata", "true").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn connections_break_on_the_wire() {
    let emulator = Emulator::new(Options::immediate());
    let serving = emulator.serve().await.unwrap();
    let client = client(&serving);
    let id = disk_id(SUBSCRIPTION, "rg-app", "d");
    emulator.insert(&id, &disk_body("westeurope")).unwrap();
    let token = emulator.token_for(&user(), "https://management.azure.com/");
    for base in [&serving.arm_https, &serving.arm_http] {
        let get = || client.get(format!("{base}{id}?{VERSION}")).bearer_auth(&token).send();
        emulator.inject(Fault::reset().on(Kind::Get));
        assert!(get().await.is_err());
        emulator.inject(Fault::half_an_answer().on(Kind::Get));
        let half = get().await.unwrap();
        assert_eq!(half.status(), 200);
        assert!(half.bytes().await.is_err(), "less than announced");
        assert_eq!(get().await.unwrap().status(), 200);
    }
    drop(serving);
}
