//! The same in a real Blob service, which `DISKSEAL_EVIDENCE_STORAGE` names as the URL of a container that does not exist yet;
//! `SSL_CERT_FILE` has its certificate. tests/judges/azurite sets both.

use std::sync::atomic::{AtomicI64, Ordering};

use azure_core::http::Url;
use diskseal::{
    azure::network,
    enforce::Context,
    evidence::{Container, Days, Evidence, Kept, check, keep},
};
use diskseal_emulator::Emulator;
use reqwest::Method;
use time::OffsetDateTime;

use super::terms;
use crate::world::{World, identity_for, now, ourselves};

const AUDIENCE: &str = "https://storage.azure.com";

/// The days that have passed.
static DAYS: AtomicI64 = AtomicI64::new(0);

fn moved() -> OffsetDateTime {
    now() + time::Duration::days(DAYS.load(Ordering::Relaxed))
}

/// The container, as its owner has it: without a policy.
struct Owner {
    azure: Emulator,
    client: reqwest::Client,
    url: Url,
}

impl Owner {
    async fn send(&self, method: Method, path: &str, query: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path()));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let token = self.azure.token_for(&ourselves(&self.azure), AUDIENCE);
        let request = self.client.request(method, url).header("x-ms-version", "2021-12-02");
        let request = request.header("x-ms-blob-type", "BlockBlob").bearer_auth(token).body(body.to_vec());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    async fn read(&self, name: &str) -> Vec<u8> {
        let (status, content) = self.send(Method::GET, &format!("/{name}"), "", b"").await;
        assert_eq!(status, 200, "{name}");
        content
    }

    async fn write(&self, name: &str, content: &[u8]) {
        assert_eq!(self.send(Method::PUT, &format!("/{name}"), "", content).await.0, 201, "{name}");
    }
}

#[tokio::test]
async fn a_real_service_takes_a_file_a_day_and_the_check_tells_apart_what_was_done_to_them() {
    let Ok(url) = std::env::var("DISKSEAL_EVIDENCE_STORAGE") else { return };
    let url = Url::parse(&url).unwrap();
    let world = World::new();
    world.disk("d");
    let (azure, client) = (world.azure.clone(), network().unwrap());
    let container = || Container::new(url.clone(), client.clone().into(), identity_for(&azure, AUDIENCE));
    let owner = Owner { azure: azure.clone(), client: client.clone(), url: url.clone() };
    assert_eq!(owner.send(Method::PUT, "", "restype=container", b"").await.0, 201);

    let World { ctx, .. } = World::at(azure.clone(), &[]);
    let ctx = Context::new(ctx.arm, ctx.policy, ctx.options, moved);
    let evidence = Evidence { container: container(), portal: "https://portal.azure.com" };
    let mut names = vec![];
    for _ in 0..5 {
        let Kept::Written { name, .. } = keep(&ctx, &evidence, terms()).await.unwrap() else {
            panic!("{names:?}")
        };
        names.push(name);
        assert_eq!(keep(&ctx, &evidence, terms()).await.unwrap(), Kept::Before);
        DAYS.fetch_add(1, Ordering::Relaxed);
    }
    // Two at once: one of them finds the other's file, or loses the race for it.
    let both = tokio::join!(keep(&ctx, &evidence, terms()), keep(&ctx, &evidence, terms()));
    let written = [both.0.unwrap(), both.1.unwrap()].iter().filter(|kept| **kept != Kept::Before).count();
    assert_eq!(written, 1);

    let states = async || -> Vec<&'static str> {
        let checked = check(&Days::Container(container()), terms(), || {}).await.unwrap();
        checked.iter().map(|one| one.state.label()).collect()
    };
    assert_eq!(states().await, ["proven", "proven", "proven", "proven", "proven", "newest"]);
    let (second, third) = (owner.read(&names[1]).await, owner.read(&names[2]).await);

    let mut flipped = third.clone();
    let at = third.windows(10).position(|part| part == b"westeurope").unwrap();
    flipped[at] ^= 1;
    owner.write(&names[2], &flipped).await;
    assert_eq!(states().await, ["proven", "proven", "changed", "proven", "proven", "newest"]);

    owner.write(&names[1], &third).await;
    owner.write(&names[2], &second).await;
    assert_eq!(states().await, ["proven", "reordered", "reordered", "proven", "proven", "newest"]);

    owner.write(&names[1], &second).await;
    assert_eq!(owner.send(Method::DELETE, &format!("/{}", names[2]), "", b"").await.0, 202);
    assert_eq!(states().await, ["proven", "unproven", "missing", "proven", "proven", "newest"]);
}
