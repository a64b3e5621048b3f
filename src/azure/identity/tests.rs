//! How long a token is kept, and what happens when it is refused, late or not available.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use azure_core::{
    credentials::{Secret, TokenRequestOptions},
    error::ErrorKind,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;

/// What the issuer does with the next requests.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// It issues a token for this long, after a wait.
    Issues(Duration, time::Duration),
    Fails,
    Hangs,
}

/// Counts the requests, and numbers its tokens.
#[derive(Debug)]
struct Issuer {
    token: &'static str,
    mood: Mutex<Mood>,
    requests: AtomicU32,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
}

impl Issuer {
    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Asked(Arc<Issuer>);

#[async_trait::async_trait]
impl TokenCredential for Asked {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://management.azure.com//.default"]);
        let issuer = &self.0;
        let number = issuer.requests.fetch_add(1, Ordering::Relaxed);
        let at_once = issuer.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        issuer.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        let mood = *issuer.mood.lock();
        let result = match mood {
            Mood::Issues(wait, lifetime) => {
                // An issuer that takes its time, on the paused clock.
                tokio::time::sleep(wait).await;
                let token = Secret::new(format!("{}{number}", issuer.token));
                Ok(AccessToken::new(token, now() + lifetime))
            }
            Mood::Fails => Err(azure_core::Error::with_message(ErrorKind::Credential, "no\r\nidentity")),
            Mood::Hangs => std::future::pending().await,
        };
        issuer.at_once.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

/// A wall clock that follows tokio's, so that tests can move it.
fn now() -> OffsetDateTime {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    OffsetDateTime::UNIX_EPOCH + (Instant::now() - *START)
}

fn identity_of(token: &'static str, mood: Mood) -> (Arc<Identity>, Arc<Issuer>) {
    let issuer = Arc::new(Issuer {
        token,
        mood: Mutex::new(mood),
        requests: AtomicU32::new(0),
        at_once: AtomicU32::new(0),
        most_at_once: AtomicU32::new(0),
    });
    let asked = Arc::clone(&issuer);
    let scope = "https://management.azure.com//.default".to_owned();
    let identity = Identity::with_credential(scope, now, move || Ok(Arc::new(Asked(Arc::clone(&asked)))));
    (Arc::new(identity.unwrap()), issuer)
}

const AN_HOUR: Mood = Mood::Issues(Duration::ZERO, time::Duration::HOUR);

fn soon() -> Terms {
    Terms::behind_events(Duration::from_secs(25))
}

async fn header(identity: &Identity) -> Result<String, NoToken> {
    identity.authorization(soon()).await.map(|authorization| authorization.header.clone())
}

/// Lets time pass on the paused clock, and what is due happen.
async fn advance(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn the_object_id_is_read_from_the_token_and_an_opaque_token_has_none() {
    // {"alg":"none"} . {"oid":"77776666-5555-4444-8333-222211110000"}
    let token = "eyJhbGciOiJub25lIn0.eyJvaWQiOiI3Nzc3NjY2Ni01NTU1LTQ0NDQtODMzMy0yMjIyMTExMTAwMDAifQ.";
    let (known, _) = identity_of(token, AN_HOUR);
    assert_eq!(
        known.object_id(soon()).await.unwrap().as_deref(),
        Some("77776666-5555-4444-8333-222211110000")
    );
    let (opaque, _) = identity_of("opaque", AN_HOUR);
    assert_eq!(opaque.object_id(soon()).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_stand_in_a_header_is_no_token() {
    for token in ["a\r\nX-Evil: 1", "a b", "é"] {
        let (identity, _) = identity_of(token, AN_HOUR);
        let NoToken(fault) = header(&identity).await.unwrap_err();
        assert_eq!(fault, "the identity endpoint returned what cannot be sent in a header");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_for_once_until_shortly_before_its_end() {
    let (identity, issuer) = identity_of("t", Mood::Issues(Duration::from_secs(2), time::Duration::HOUR));
    let all = (0..50).map(|_| {
        let identity = Arc::clone(&identity);
        tokio::spawn(async move { header(&identity).await })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().unwrap(), "Bearer t0");
    }
    advance(54 * 60).await;
    assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
    assert_eq!((issuer.requests(), issuer.most_at_once.load(Ordering::Relaxed)), (1, 1));
    advance(60).await;
    // A replacement that takes 2 s is not waited for, and serves those who come after it.
    assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
    advance(2).await;
    assert_eq!(header(&identity).await.unwrap(), "Bearer t1");
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_without_whoever_began_it() {
    let (identity, issuer) = identity_of("t", Mood::Issues(Duration::from_secs(9), time::Duration::HOUR));
    let impatient = identity.authorization(Terms::behind_events(Duration::from_secs(5))).await;
    assert_eq!(impatient.err().unwrap(), NoToken("the identity endpoint did not answer in time".to_owned()));
    assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_callers() {
    let (identity, issuer) = identity_of("t", AN_HOUR);
    let refused = identity.authorization(soon()).await.unwrap();
    assert_eq!(refused.header, "Bearer t0");
    assert!(identity.renew(&refused));
    assert!(identity.renew(&refused));
    assert_eq!(header(&identity).await.unwrap(), "Bearer t1");
    assert!(identity.renew(&refused));
    assert_eq!(header(&identity).await.unwrap(), "Bearer t1");
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_replaced_a_refused_one_is_not_replaced_at_once() {
    let (identity, issuer) = identity_of("t", AN_HOUR);
    for _ in 0..10 {
        let refused = identity.authorization(soon()).await.unwrap();
        identity.renew(&refused);
    }
    assert_eq!((header(&identity).await.unwrap().as_str(), issuer.requests()), ("Bearer t1", 2));
    advance(30).await;
    let refused = identity.authorization(soon()).await.unwrap();
    assert!(identity.renew(&refused));
    assert_eq!(header(&identity).await.unwrap(), "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_it_expires_while_the_endpoint_fails() {
    let (identity, issuer) = identity_of("t", AN_HOUR);
    header(&identity).await.unwrap();
    *issuer.mood.lock() = Mood::Fails;
    advance(59 * 60).await;
    assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
    advance(2 * 60).await;
    let fault = header(&identity).await.unwrap_err();
    assert_eq!(fault, NoToken("no identity".to_owned()));
    // The failure is the answer for a moment, and no longer.
    let requests = issuer.requests();
    assert_eq!(header(&identity).await.unwrap_err(), fault);
    assert_eq!(issuer.requests(), requests);
    advance(1).await;
    *issuer.mood.lock() = AN_HOUR;
    assert!(header(&identity).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_valid_is_used_while_its_replacement_hangs() {
    let (identity, issuer) = identity_of("t", Mood::Issues(Duration::ZERO, time::Duration::seconds(400)));
    header(&identity).await.unwrap();
    *issuer.mood.lock() = Mood::Hangs;
    advance(200).await;
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
    }
    assert_eq!(began.elapsed(), PATIENCE);
    assert_eq!(issuer.requests(), 2);
    // It is given up some time, and another one is sent.
    advance(60).await;
    *issuer.mood.lock() = AN_HOUR;
    assert_eq!(header(&identity).await.unwrap(), "Bearer t2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_on_arrival_is_used_and_not_asked_for_again_at_once() {
    let (identity, issuer) = identity_of("t", Mood::Issues(Duration::ZERO, -time::Duration::HOUR));
    advance(2 * 60 * 60).await;
    for _ in 0..20 {
        assert_eq!(header(&identity).await.unwrap(), "Bearer t0");
        advance(1).await;
    }
    assert_eq!(issuer.requests(), 1);
    advance(10).await;
    assert_eq!(header(&identity).await.unwrap(), "Bearer t1");
}

#[tokio::test(start_paused = true)]
async fn a_token_for_less_than_the_refresh_time_is_asked_for_at_intervals() {
    let (identity, issuer) = identity_of("t", Mood::Issues(Duration::ZERO, time::Duration::seconds(120)));
    for _ in 0..60 {
        header(&identity).await.unwrap();
        advance(1).await;
    }
    assert_eq!(issuer.requests(), 2);
}
