//! What goes through the proxies of the environment, and what never does.

use diskseal_emulator::{
    azure_cli::{AzureCli, Run},
    collector::Collector,
    disk_body,
    host::Trigger,
    local_azure::LocalAzure,
    proxy::{Asked, Proxy},
    serve::Serving,
};

use super::{disk, event, is_sealed, settings, setup};
use crate::world::jane;

const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const ARM: &str = "https://management.azure.com";

/// The host that a tunnel is asked for.
const ARM_HOST: &str = "management.azure.com:443";

/// Azure with a proxy that leads to ARM and Entra ID by their names in the public cloud.
async fn start<'a>(proxy: &Proxy, more: impl Fn(&Serving) -> Vec<(&'a str, String)>) -> LocalAzure {
    LocalAzure::start(setup(), |serving| {
        proxy.leads(ARM_HOST, &serving.arm_https);
        proxy.leads("login.microsoftonline.com:443", &serving.arm_https);
        let more = more(serving);
        let pairs: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings(serving, &pairs)
    })
    .await
    .unwrap()
}

async fn seal(azure: &LocalAzure) {
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(azure, &disk("d")), "{:?}", azure.host.console());
}

fn targets(asked: &[Asked]) -> Vec<String> {
    let mut targets: Vec<_> = asked.iter().map(|one| one.target.clone()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

#[tokio::test]
async fn nothing_on_this_machine_is_asked_through_a_proxy() {
    for name in HTTP.into_iter().chain(HTTPS) {
        for tls in [false, true] {
            let proxy = Proxy::start().await.unwrap();
            let azure = start(&proxy, |serving| {
                let arm = if tls { &serving.arm_https } else { &serving.arm_http };
                let arm = arm.replace("127.0.0.1", "localhost");
                vec![(name, proxy.url()), ("DISKSEAL_ARM_ENDPOINT", arm)]
            });
            let azure = azure.await;
            seal(&azure).await;
            // The collector is on loopback, too.
            azure.collector.wait_for(|span| span.name == "enforce").await;
            assert_eq!(targets(&proxy.asked()), Vec::<String>::new(), "{name}");
        }
    }
}

#[tokio::test]
async fn arm_is_asked_through_the_proxy_and_the_identity_endpoint_is_not() {
    for name in HTTPS {
        let (proxy, plain) = (Proxy::start().await.unwrap(), Proxy::start().await.unwrap());
        let azure = start(&proxy, |_| {
            vec![
                (name, proxy.url()),
                // Plain HTTP has a proxy of its own, and the identity endpoint is asked by plain HTTP.
                ("HTTP_PROXY", plain.url()),
                ("DISKSEAL_ARM_ENDPOINT", ARM.to_owned()),
            ]
        });
        let azure = azure.await;
        seal(&azure).await;
        assert_eq!(targets(&plain.asked()), Vec::<String>::new(), "{name}");
        let asked = proxy.asked();
        assert_eq!(targets(&asked), [ARM_HOST], "{name}");
        for one in &asked {
            assert_eq!(one.method, "CONNECT", "{name}");
            assert!(!one.headers.contains_key("authorization"), "{name}: {:?}", one.headers);
            assert!(!one.headers.contains_key("x-identity-header"), "{name}");
        }
    }
}

#[tokio::test]
async fn entra_id_is_asked_through_the_proxy_for_a_workload_identity() {
    let proxy = Proxy::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "federated").unwrap();
    let azure = start(&proxy, |_| {
        vec![
            ("HTTPS_PROXY", proxy.url()),
            ("DISKSEAL_ARM_ENDPOINT", ARM.to_owned()),
            ("DISKSEAL_CREDENTIAL", "workload-identity".to_owned()),
            ("AZURE_TENANT_ID", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", token.display().to_string()),
            ("IDENTITY_ENDPOINT", String::new()),
        ]
    });
    let azure = azure.await;
    seal(&azure).await;
    assert_eq!(targets(&proxy.asked()), ["login.microsoftonline.com:443", ARM_HOST]);
}

#[tokio::test]
async fn arm_is_asked_through_the_proxy_with_the_token_of_the_azure_cli() {
    let (proxy, az) = (Proxy::start().await.unwrap(), AzureCli::new().unwrap());
    let azure = start(&proxy, |_| {
        vec![
            ("ALL_PROXY", proxy.url()),
            ("DISKSEAL_ARM_ENDPOINT", ARM.to_owned()),
            ("DISKSEAL_CREDENTIAL", "azure-cli".to_owned()),
            ("PATH", az.path()),
        ]
    });
    let azure = azure.await;
    let bob = diskseal_emulator::write::Caller::user("0b0b0b0b-0000-4000-8000-000000000002", "Bob");
    let token = azure.emulator.token_for(&bob, ARM);
    az.does(&Run::Prints { after: std::time::Duration::ZERO, token, expires_on: 4_102_444_800 }).unwrap();
    seal(&azure).await;
    assert_eq!(targets(&proxy.asked()), [ARM_HOST]);
}

/// Neither address answers. An attempt to go through the proxy would be recorded before the invocation ends.
#[tokio::test]
async fn an_identity_endpoint_elsewhere_and_the_machines_link_are_asked_directly() {
    // "IPv4 Address Blocks Reserved for Documentation" (RFC 5737), and a link-local address (RFC 3927).
    for (setting, value) in [
        ("IDENTITY_ENDPOINT", "http://192.0.2.1:8081/msi/token"),
        ("DISKSEAL_ARM_ENDPOINT", "https://169.254.1.1"),
    ] {
        let proxy = Proxy::start().await.unwrap();
        let azure = start(&proxy, |_| {
            vec![
                ("ALL_PROXY", proxy.url()),
                ("DISKSEAL_DEADLINE", "1".to_owned()),
                (setting, value.to_owned()),
            ]
        });
        let azure = azure.await;
        let invocation = azure.host.invoke("seal_on_write", Trigger::Event(event(&disk("d")))).await.unwrap();
        assert!(!invocation.succeeded(), "{setting}");
        assert_eq!(targets(&proxy.asked()), Vec::<String>::new(), "{setting}");
    }
}

#[tokio::test]
async fn a_collector_is_reached_through_the_proxy_unless_it_is_an_exception() {
    for (variable, exceptions, expected) in [
        ("NO_PROXY", "", true),
        ("NO_PROXY", "other.example", true),
        ("NO_PROXY", "collector.example", false),
        ("no_proxy", "*.example, other", false),
        ("NO_PROXY", "*", false),
    ] {
        let proxy = Proxy::start().await.unwrap();
        let collector = Collector::start().await.unwrap();
        proxy.leads("collector.example:4318", &collector.endpoint());
        let azure = start(&proxy, |_| {
            vec![
                ("HTTP_PROXY", proxy.url()),
                (variable, exceptions.to_owned()),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318".to_owned()),
                ("OTEL_METRICS_EXPORTER", "none".to_owned()),
                ("OTEL_LOGS_EXPORTER", "none".to_owned()),
            ]
        });
        let azure = azure.await;
        seal(&azure).await;
        let pid = azure.host.pid("seal_on_write").unwrap();
        azure.host.terminate("seal_on_write");
        azure.host.wait_exit(pid).await;
        let is_exported = collector.spans().iter().any(|span| span.name == "enforce");
        assert_eq!(is_exported, expected, "{variable}={exceptions}");
        let through: &[&str] = if expected { &["http://collector.example:4318/v1/traces"] } else { &[] };
        assert_eq!(targets(&proxy.asked()), through, "{variable}={exceptions}");
    }
}

#[tokio::test]
async fn an_unusable_proxy_is_named_without_its_password_and_not_used() {
    let proxy = Proxy::start().await.unwrap();
    let azure = start(&proxy, |_| vec![("ALL_PROXY", "socks5://user:secret@proxy.example".to_owned())]).await;
    seal(&azure).await;
    let line = azure.host.wait_for_line(|line| line.text.contains("ALL_PROXY")).await;
    assert!(line.text.contains("is not the URL of an HTTP proxy"), "{}", line.text);
    assert!(azure.host.console().iter().all(|line| !line.text.contains("secret")));
}
