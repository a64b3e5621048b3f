//! The queue service of an installation: where it is, and an identity with a token for it.

use std::sync::Arc;

use azure_core::http::{HttpClient, Url};
use clap::Arg;
use time::OffsetDateTime;

use crate::{
    azure::{Identity, IdentityOptions},
    config::without_secrets,
};

/// Token audience for queues and blobs, in every cloud ("Authorize with Microsoft Entra ID").
const AUDIENCE: &str = "https://storage.azure.com";
/// The setting in which the host names the queue service of an identity-based connection.
pub(super) const SETTING: &str = "AzureWebJobsStorage__queueServiceUri";
/// The name of the flag for the queue service.
pub(super) const FLAG: &str = "storage-account";

/// The flag for the queue service.
pub(super) fn arg() -> Arg {
    Arg::new(FLAG)
        .long(FLAG)
        .value_name("URL")
        .help("Queue service of the app's storage account")
        .long_help("Queue service of the app's storage account [default: AzureWebJobsStorage__queueServiceUri, of the environment or of the app]")
}

/// The endings of a queue service's host name: those of each cloud ("Storage account overview", standard endpoints), and
/// those of an account with a DNS zone (the same page, Azure DNS zone endpoints).
const DOMAINS: [&str; 4] = [
    ".queue.core.windows.net",
    ".queue.core.usgovcloudapi.net",
    ".queue.core.chinacloudapi.cn",
    ".queue.storage.azure.net",
];

/// The queue service of this URL, for a token of this identity.
///
/// # Errors
/// The URL is not one of a queue service.
pub(super) fn service(
    url: &str,
    options: &IdentityOptions,
    http: &Arc<dyn HttpClient>,
    now: fn() -> OffsetDateTime,
) -> Result<(Url, Identity), String> {
    let parsed = Url::parse(url.trim()).ok().filter(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    let url = parsed.ok_or_else(|| {
        format!(
            "{} is not a queue service; expected a URL such as https://ACCOUNT.queue.core.windows.net",
            without_secrets(url)
        )
    })?;
    let options = IdentityOptions { audience: AUDIENCE.to_owned(), ..options.clone() };
    Ok((url, Identity::new(&options, http, now).map_err(|fault| fault.to_string())?))
}

/// The URL that an app's settings name, if it is Azure's, or where `arm` is. Whoever can write the settings of an app
/// could otherwise name a server of their own, which would get a token of the person who reads them.
pub(super) fn of_app(url: &str, arm: &Url) -> Option<String> {
    let parsed = Url::parse(url.trim()).ok().filter(|url| url.scheme() == "https")?;
    let host = parsed.host_str()?.to_ascii_lowercase();
    let is_azures = DOMAINS.iter().any(|domain| host.ends_with(domain));
    (is_azures || parsed.origin() == arm.origin()).then(|| parsed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_only_where_azure_serves_queues_or_to_the_given_endpoint() {
        let arm = Url::parse("https://localhost:8443").unwrap();
        for url in [
            "https://stdiskseal.queue.core.windows.net/",
            "https://st.z12.queue.storage.azure.net",
            "https://st.queue.core.chinacloudapi.cn/",
            "https://localhost:8443/",
        ] {
            assert!(of_app(url, &arm).is_some(), "{url}");
        }
        for url in [
            "https://st.queue.core.windows.net.example.com/",
            "https://example.com/.queue.core.windows.net",
            "https://st.queue.core.windows.net@example.com/",
            "http://st.queue.core.windows.net/",
            "https://localhost:8444/",
            "not a URL",
            "",
        ] {
            assert_eq!(of_app(url, &arm), None, "{url}");
        }
    }
}
