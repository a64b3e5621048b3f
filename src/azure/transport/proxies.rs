//! The proxies of the environment, and what never passes through them.
//!
//! The variables have no common standard; their meaning here is that of curl and Go. What is on this machine or on its
//! link is asked directly: the identity endpoint gets a secret in plain HTTP and answers with a token, and "How to use
//! managed identities for Azure resources on an Azure VM to acquire an access token" and "Azure Instance Metadata
//! Service" say that proxies must be bypassed.

use reqwest::{NoProxy, Proxy};
use url::Url;

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// This machine, and its link: the instance metadata service and App Service's identity endpoint are there.
const HERE: &str = "localhost,127.0.0.0/8,::1,::ffff:127.0.0.0/104,169.254.0.0/16,fe80::/10";

/// The proxy of requests with one scheme, and the variables that name it, the more special ones first.
const HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxies to use. None at all if `NO_PROXY` is `*`.
pub(super) fn proxies(lookup: Lookup<'_>) -> Vec<Proxy> {
    let Some(direct) = direct(lookup) else { return Vec::new() };
    let chosen = |names: &[&'static str]| first(lookup, names).and_then(|(_, text)| read(&text));
    let http = chosen(&HTTP).and_then(|url| Proxy::http(url).ok());
    let https = chosen(&HTTPS).and_then(|url| Proxy::https(url).ok());
    let exceptions = NoProxy::from_string(&direct);
    http.into_iter().chain(https).map(|proxy| proxy.no_proxy(exceptions.clone())).collect()
}

/// What is wrong with the variables, one sentence each. No value is repeated, because it may have a password.
pub fn proxy_faults(lookup: Lookup<'_>) -> Vec<String> {
    let mut names: Vec<_> = [HTTP, HTTPS].iter().filter_map(|names| first(lookup, names)).collect();
    names.dedup_by_key(|(name, _)| *name);
    let unusable = names.into_iter().filter(|(_, text)| read(text).is_none());
    unusable.map(|(name, _)| format!("{name} is not the URL of an HTTP proxy, and is ignored")).collect()
}

/// The first variable that has a value.
fn first(lookup: Lookup<'_>, names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        let text = lookup(name)?.trim().to_owned();
        (!text.is_empty()).then_some((*name, text))
    })
}

/// A proxy's URL. Without a scheme it is `http`, as everywhere.
fn read(text: &str) -> Option<Url> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// The hosts that are asked directly, as a list; `None` if that is every host.
fn direct(lookup: Lookup<'_>) -> Option<String> {
    let (_, exceptions) = first(lookup, &EXCEPTIONS).unwrap_or_default();
    let mut hosts: Vec<_> = exceptions.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    // The client takes `*` for names alone, and not for addresses.
    if hosts.contains(&"*") {
        return None;
    }
    for host in &mut hosts {
        *host = host.strip_prefix('*').unwrap_or(host);
    }
    // Beside this machine and its link, a platform may have its identity endpoint at an address of its own.
    let endpoint = lookup("IDENTITY_ENDPOINT").and_then(|text| Url::parse(text.trim()).ok());
    let host = endpoint.as_ref().and_then(Url::host_str).map(|host| host.trim_matches(['[', ']']));
    hosts.extend(host);
    hosts.push(HERE);
    Some(hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn what_is_not_a_proxys_url_is_named_without_its_value() {
        for (name, value) in [
            ("HTTPS_PROXY", "socks5://user:secret@proxy.example"),
            ("http_proxy", "http://user:secret@"),
            ("ALL_PROXY", "ftp://secret.example"),
        ] {
            let pairs = [(name, value)];
            assert!(proxies(&lookup(&pairs)).is_empty(), "{name}");
            let faults = proxy_faults(&lookup(&pairs));
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(name) && !faults[0].contains("secret"), "{faults:?}");
        }
        for value in ["proxy.example:8080", "http://user:secret@10.0.0.1:3128", "https://proxy.example", ""] {
            assert_eq!(proxy_faults(&lookup(&[("HTTPS_PROXY", value)])), Vec::<String>::new(), "{value}");
        }
    }

    #[test]
    fn a_proxy_serves_its_scheme_and_an_asterisk_switches_all_off() {
        let number = |pairs: &[(&str, &str)]| proxies(&lookup(pairs)).len();
        assert_eq!(number(&[]), 0);
        assert_eq!(number(&[("HTTPS_PROXY", "proxy.example:8080")]), 1);
        assert_eq!(number(&[("all_proxy", "http://proxy.example")]), 2);
        assert_eq!(number(&[("ALL_PROXY", "http://proxy.example"), ("no_proxy", "a.example, *")]), 0);
    }

    #[test]
    fn this_machine_and_the_identity_endpoint_are_asked_directly() {
        let endpoint = ("IDENTITY_ENDPOINT", "http://10.1.2.3:8081/msi/token");
        let hosts = direct(&lookup(&[endpoint, ("NO_PROXY", "a.example, *.b.example,")])).unwrap();
        assert_eq!(hosts, format!("a.example,.b.example,10.1.2.3,{HERE}"));
        let version_6 = [("IDENTITY_ENDPOINT", "http://[fd00::1]:8081/msi/token")];
        assert_eq!(direct(&lookup(&version_6)).unwrap(), format!("fd00::1,{HERE}"));
    }
}
