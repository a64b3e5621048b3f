//! Settings of Azure Resource Manager and of the identity.

use url::Url;

use super::{
    cloud::{CLOUDS, PUBLIC},
    setting::{Fallback, Setting, Use, Value, meaning, names, set, word},
};
use crate::azure::Credential;

pub(super) const ALL: &[Setting] = &[CREDENTIAL, CLIENT_ID, CLOUD, ARM_ENDPOINT, ARM_AUDIENCE];

const CREDENTIALS: [(&str, Credential); 3] = [
    ("managed-identity", Credential::ManagedIdentity),
    ("workload-identity", Credential::WorkloadIdentity),
    ("azure-cli", Credential::AzureCli),
];

const CREDENTIAL: Setting = Setting {
    name: "DISKSEAL_CREDENTIAL",
    flag: "credential",
    value: Value::Words(|| names(&CREDENTIALS)),
    help: "Credential to sign in with.",
    default: Fallback::Means("managed-identity for serve, azure-cli for other commands"),
    used: Use::Always,
    read: |config, text| set(&mut config.credential, meaning(&CREDENTIALS, text)),
    show: |config| word(&CREDENTIALS, config.credential),
};

const CLIENT_ID: Setting = Setting {
    name: "AZURE_CLIENT_ID",
    flag: "client-id",
    value: Value::Text("GUID"),
    help: "Client ID of the user-assigned identity to sign in with.",
    default: Fallback::Means("the system-assigned identity"),
    used: Use::Always,
    read: |config, text| {
        let id = uuid::Uuid::try_parse(text).map(|_| Some(text.to_owned()));
        set(&mut config.client_id, id.map_err(|_| format!("{text:?} is not a client ID (a GUID)")))
    },
    show: |config| config.client_id.clone(),
};

const CLOUD: Setting = Setting {
    name: "DISKSEAL_CLOUD",
    flag: "cloud",
    value: Value::Words(|| names(&CLOUDS)),
    help: "Azure cloud to work in.\n\
           It determines the endpoint and audience of Azure Resource Manager, and where tokens come from.",
    default: Fallback::Text("AzurePublic"),
    used: Use::Always,
    read: |config, text| set(&mut config.cloud, meaning(&CLOUDS, text)),
    show: |config| word(&CLOUDS, config.cloud),
};

const ARM_ENDPOINT: Setting = Setting {
    name: "DISKSEAL_ARM_ENDPOINT",
    flag: "arm-endpoint",
    value: Value::Text("URL"),
    help: "Base URL of Azure Resource Manager, instead of the cloud's.\n\
           A scheme and a host: HTTPS, or plain HTTP on loopback.",
    default: Fallback::Means("the cloud's"),
    used: Use::Always,
    read: |config, text| set(&mut config.arm_endpoint, endpoint(text).map(Some)),
    show: |config| config.arm_endpoint.as_ref().map(Url::to_string),
};

fn endpoint(text: &str) -> Result<Url, String> {
    let url = confidential(text)?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    is_bare.then_some(url).ok_or_else(|| {
        format!(
            "{} must be a scheme and a host alone, for example {}",
            without_secrets(text),
            PUBLIC.arm_endpoint
        )
    })
}

/// A refused URL as a message may show it: user information and queries hold passwords, keys and signatures.
///
/// A text that is no URL can hold them as well, and a password can hold any character, so what stands before the last `@`
/// is left out, but for a scheme.
pub fn without_secrets(text: &str) -> String {
    let is_scheme = |scheme: &str| scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    let scheme = text.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
    let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let end = text.find(['?', '#']).unwrap_or(text.len());
    match text.rfind('@') {
        None if end == text.len() => format!("{text:?}"),
        None => format!("{:?}", format!("{}…", &text[..end])),
        Some(at) if end < at => format!("{:?}", format!("{scheme}…")),
        Some(at) => format!("{:?}", format!("{scheme}…{}", &text[at..end])),
    }
}

/// Reads a URL to which a token may be sent.
pub(super) fn confidential(text: &str) -> Result<Url, String> {
    let shown = without_secrets(text);
    let url = Url::parse(text).map_err(|error| format!("{shown} is not a URL ({error})"))?;
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    match url.scheme() {
        "https" | "http" if has_user || !url.has_host() => {
            Err(format!("{shown} must name a host, and no user"))
        }
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        "http" => Err(format!("{shown} would send tokens unencrypted; plain HTTP is for loopback only")),
        scheme => Err(format!("{shown} must be an https URL, not {scheme}")),
    }
}

/// Reads the URL of a blob container, to which a token may be sent.
///
/// # Errors
/// It is none; says what is wrong, without a secret.
pub fn container(text: &str) -> Result<Url, String> {
    let url = confidential(text)?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    let is_named = !url.path().trim_matches('/').is_empty();
    (is_plain && is_named).then_some(url).ok_or_else(|| {
        format!(
            "{} is not a container; expected a URL such as https://ACCOUNT.blob.core.windows.net/CONTAINER, without a \
             signature: the identity signs in",
            without_secrets(text)
        )
    })
}

#[test]
fn endpoints_that_would_leak_tokens_are_refused() {
    use super::tests::{fault, shown};
    for url in [
        "http://management.azure.com",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://user:secret@management.azure.com",
        "https://management.azure.com/path",
        "https://management.azure.com/?x=1",
        "management.azure.com",
    ] {
        fault(ARM_ENDPOINT.name, url);
    }
    for url in ["http://localhost:1/", "http://[::1]:1/", "http://127.9.9.9:1/", "https://arm.local/"] {
        assert_eq!(shown(&ARM_ENDPOINT, url).as_deref(), Some(url));
    }
}

#[test]
fn a_refused_url_is_shown_without_its_secrets() {
    use super::tests::fault;
    for url in [
        "https://user:s3cret@management.azure.com",
        "https://s3cret@management.azure.com/",
        "ftp://user:s3cret@127.0.0.1",
        "//user:s3cret@host",
        "user:s3cret@host",
        "https://user:p@s3cret@host",
        "https://host/?sig=s3cret",
        "https://host/#s3cret",
        "https://[user:s3cret@host",
        "https:/user:s3cret@host",
        "https:user:s3cret@host",
        "https:\\\\user:s3cret@host",
        "user:s3cret//x@host",
        "https://user:s3cret?x@host",
        "https://user:s3cret#@host",
    ] {
        for name in [ARM_ENDPOINT.name, ARM_AUDIENCE.name, "DISKSEAL_AZURE_MONITOR_LOGS_ENDPOINT"] {
            // An audience may have a query, or be no address at all.
            let is_audience = url.starts_with("https://host/") || url.starts_with("user:");
            if !(name == ARM_AUDIENCE.name && is_audience) {
                let message = fault(name, url);
                assert!(!message.contains("s3cret"), "{name}: {message}");
            }
        }
    }
    let message = fault(ARM_ENDPOINT.name, "http://management.azure.com");
    assert!(message.starts_with("\"http://management.azure.com\" "), "{message}");
}

const ARM_AUDIENCE: Setting = Setting {
    name: "DISKSEAL_ARM_AUDIENCE",
    flag: "arm-audience",
    help: "Audience of the tokens for Azure Resource Manager, instead of the cloud's.",
    read: |config, text| {
        let audience = Url::parse(text)
            .map_err(|error| error.to_string())
            .and_then(|url| {
                let has_user = !url.username().is_empty() || url.password().is_some();
                if has_user { Err("it has a user".to_owned()) } else { Ok(Some(text.to_owned())) }
            })
            .map_err(|fault| {
                format!(
                    "{} is not an audience ({fault}); for example {}",
                    without_secrets(text),
                    PUBLIC.arm_audience
                )
            });
        set(&mut config.arm_audience, audience)
    },
    show: |config| config.arm_audience.clone(),
    ..ARM_ENDPOINT
};

#[test]
fn clouds_have_their_own_endpoint_and_audience_and_both_can_be_overridden() {
    use super::tests::read;
    let (public, government) = ("https://management.azure.com/", "https://management.usgovcloudapi.net/");
    let (core, china) =
        ("https://management.core.usgovcloudapi.net/", "https://management.chinacloudapi.cn/");
    for (cloud, endpoint, audience, monitor) in [
        ("AzurePublic", public, public, "https://monitor.azure.com"),
        ("azureusgovernment", government, core, "https://monitor.azure.us"),
        ("AzureChina", china, china, "https://monitor.azure.cn"),
    ] {
        let config = read(&[(CLOUD.name, cloud)]).unwrap();
        assert_eq!(config.arm_endpoint().unwrap().as_str(), endpoint);
        assert_eq!(config.identity().audience, audience);
        assert_eq!(config.monitor_identity().audience, monitor);
    }
    let local = (ARM_ENDPOINT.name, "http://127.0.0.1:8080");
    let config = read(&[local, (ARM_AUDIENCE.name, "https://management.core.windows.net/")]).unwrap();
    assert_eq!(config.arm_endpoint().unwrap().as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.identity().audience, "https://management.core.windows.net/");
}
