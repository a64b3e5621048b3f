//! How long a token is kept, and what happens when it is refused or not available.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use azure_core::{
    credentials::{Secret, TokenRequestOptions},
    error::ErrorKind,
};
use tokio::time::Instant;

use super::*;

/// Returns its token, unless it is set to fail.
#[derive(Debug)]
struct Issuer {
    token: String,
    expires_on: OffsetDateTime,
    is_down: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl TokenCredential for Issuer {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://management.azure.com//.default"]);
        if self.is_down.load(Ordering::Relaxed) {
            return Err(azure_core::Error::with_message(ErrorKind::Credential, "no identity"));
        }
        Ok(AccessToken::new(Secret::new(self.token.clone()), self.expires_on))
    }
}

/// A wall clock that follows tokio's, so that tests can move it.
fn now() -> OffsetDateTime {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    OffsetDateTime::UNIX_EPOCH + (Instant::now() - *START)
}

struct Fixture {
    identity: Identity,
    made: Arc<AtomicU32>,
    is_down: Arc<AtomicBool>,
}

fn identity(token: &'static str, lifetime: time::Duration) -> Fixture {
    let (made, is_down) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, down) = (Arc::clone(&made), Arc::clone(&is_down));
    let identity =
        Identity::with_credential("https://management.azure.com//.default".into(), now, move || {
            let count = counter.fetch_add(1, Ordering::Relaxed);
            Ok(Arc::new(Issuer {
                token: format!("{token}{count}"),
                expires_on: now() + lifetime,
                is_down: Arc::clone(&down),
            }))
        })
        .unwrap();
    Fixture { identity, made, is_down }
}

fn soon() -> Terms {
    Terms::behind_events(Duration::from_secs(25))
}

#[tokio::test]
async fn the_object_id_is_read_from_the_token_and_an_opaque_token_has_none() {
    // {"alg":"none"} . {"oid":"77776666-5555-4444-8333-222211110000"}
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJvaWQiOiI3Nzc3NjY2Ni01NTU1LTQ0NDQtODMzMy0yMjIyMTExMTAwMDAifQ.s";
    let known = identity(jwt, time::Duration::HOUR).identity;
    assert_eq!(
        known.object_id(soon()).await.unwrap().as_deref(),
        Some("77776666-5555-4444-8333-222211110000")
    );
    let opaque = identity("opaque", time::Duration::HOUR).identity;
    assert_eq!(opaque.object_id(soon()).await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_callers() {
    let Fixture { identity, made, .. } = identity("t", time::Duration::HOUR);
    let refused = identity.authorization(soon()).await.unwrap();
    assert_eq!(refused.header, "Bearer t0");
    identity.renew(&refused);
    identity.renew(&refused);
    assert_eq!(identity.authorization(soon()).await.unwrap().header, "Bearer t1");
    identity.renew(&refused);
    assert_eq!(identity.authorization(soon()).await.unwrap().header, "Bearer t1");
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_it_expires_while_the_endpoint_fails() {
    let Fixture { identity, is_down, .. } = identity("t", time::Duration::HOUR);
    identity.authorization(soon()).await.unwrap();
    is_down.store(true, Ordering::Relaxed);
    tokio::time::advance(Duration::from_mins(59)).await;
    assert_eq!(identity.authorization(soon()).await.unwrap().header, "Bearer t0");
    tokio::time::advance(Duration::from_mins(2)).await;
    let error = identity.authorization(soon()).await.err().unwrap();
    assert_eq!(error, NoToken("no identity".to_owned()));
}
