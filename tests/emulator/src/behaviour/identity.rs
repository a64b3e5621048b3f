//! The managed-identity endpoint.

use azure_core::http::{Method, Request, Url};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Client, VERSION};
use crate::options::Options;

async fn token(client: &Client, target: &str, header: (&'static str, &str)) -> (u16, Value) {
    let url = Url::parse(&format!("http://127.0.0.1:41234{target}")).unwrap();
    let mut request = Request::new(url, Method::Get);
    request.insert_header(header.0, header.1.to_owned());
    let (status, _, body) = client.transport.execute_request(&request).await.unwrap().deconstruct();
    let body = body.collect().await.unwrap();
    (status.into(), serde_json::from_slice(&body).unwrap())
}

const ARM_RESOURCE: &str = "resource=https%3A%2F%2Fmanagement.azure.com%2F";

#[tokio::test(start_paused = true)]
async fn app_service_gives_a_token_that_resource_manager_takes() {
    let mut client = Client::immediate();
    let options = client.emulator.options().clone();
    let header = ("x-identity-header", options.identity_header.as_str());
    let target =
        format!("/msi/token?{ARM_RESOURCE}&api-version=2019-08-01&client_id={}", options.identity.client_id);
    let (status, body) = token(&client, &target, header).await;
    assert_eq!(status, 200);
    assert_eq!(body["client_id"], json!(options.identity.client_id));
    assert_eq!(body["resource"], "https://management.azure.com/");
    let expires: i64 = body["expires_on"].as_str().expect("a string").parse().unwrap();
    let parts: Vec<&str> = body["access_token"].as_str().unwrap().split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["oid"], json!(options.identity.object_id));
    assert_eq!(claims["appid"], json!(options.identity.client_id));
    assert_eq!(claims["xms_mirid"], json!(options.identity.resource_id));
    assert_eq!((claims["exp"].as_i64(), claims["idtyp"].as_str()), (Some(expires), Some("app")));
    assert_eq!(claims["tid"], json!(options.tenant_id));
    client.token = body["access_token"].as_str().map(str::to_owned);
    let seen = client.get(&format!("{}?{VERSION}", client.seed("d"))).await;
    assert_eq!(seen.status, 200);
    let journal = client.emulator.journal();
    assert!(journal.iter().all(|exchange| !format!("{exchange:?}").contains(parts[2])), "no token is kept");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_refused_as_each_form_does() {
    let client = Client::new(Options { system_identity: None, ..Options::immediate() });
    let header = client.emulator.options().identity_header.clone();
    let good = ("x-identity-header", header.as_str());
    for (query, header, status) in [
        (format!("{ARM_RESOURCE}&api-version=2019-08-01"), good, 400),
        (format!("{ARM_RESOURCE}&api-version=2019-08-01&client_id=x"), good, 400),
        (format!("{ARM_RESOURCE}&api-version=2017-09-01"), good, 400),
        ("api-version=2019-08-01".to_owned(), good, 400),
        (format!("{ARM_RESOURCE}&api-version=2019-08-01"), ("x-identity-header", "wrong"), 401),
    ] {
        let (got, body) = token(&client, &format!("/msi/token?{query}"), header).await;
        assert_eq!((got, &body["statusCode"]), (status, &json!(status)), "{query}");
    }
    let imds = "/metadata/identity/oauth2/token";
    let known = &client.emulator.options().identity.client_id;
    let target = format!("{imds}?{ARM_RESOURCE}&api-version=2018-02-01");
    let (status, body) = token(&client, &target, ("metadata", "true")).await;
    assert_eq!((status, body["error_description"].as_str()), (400, Some("Identity not found")));
    assert_eq!(token(&client, &target, ("metadata", "no")).await.0, 400);
    let (status, body) = token(&client, &format!("{target}&client_id={known}"), ("metadata", "true")).await;
    assert_eq!((status, body["expires_in"].as_str()), (200, Some("86400")));
    assert!(body["expires_on"].is_string() && body["not_before"].is_string());
}
