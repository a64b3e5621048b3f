//! Limits on requests, and the headers that report them.

use std::time::Duration;

use serde_json::json;
use tokio::time::advance;

use super::{Client, SUBSCRIPTION, VERSION, user};
use crate::options::{Bucket, Options, Throttling};

fn tight() -> Options {
    let bucket = Bucket { size: 3, refill_per_second: 1 };
    let throttling = Throttling { reads: bucket, writes: bucket, deletes: bucket, ..Throttling::default() };
    Options { throttling: Some(throttling), ..Options::immediate() }
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_asks_too_often_has_to_wait() {
    let mut client = Client::new(tight());
    let target = format!("{}?{VERSION}", client.seed("d"));
    for left in ["2", "1", "0"] {
        let reply = client.get(&target).await;
        assert_eq!(reply.header("x-ms-ratelimit-remaining-subscription-reads"), Some(left));
        assert!(reply.header("x-ms-ratelimit-remaining-subscription-global-reads").is_some());
    }
    let reply = client.get(&target).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    assert_eq!(reply.code(), "SubscriptionRequestsThrottled");
    let path = target.split('?').next().unwrap();
    assert_eq!(client.patch(path, &json!({})).await.status, 200, "writes are another bucket");
    let jane = client.token.replace(client.emulator.token_for(&client.emulator.managed_caller(), super::ARM));
    assert_eq!(client.get(&target).await.status, 200, "so are other principals");
    client.token = jane;
    advance(Duration::from_secs(1)).await;
    assert_eq!(client.get(&target).await.status, 200);
    assert_eq!(client.get(&target).await.status, 429);
    assert_ne!(client.emulator.managed_caller(), user());
}

#[tokio::test(start_paused = true)]
async fn the_provider_has_windows_of_its_own() {
    let client = Client::new(Options { throttling: Some(Throttling::default()), ..Options::immediate() });
    let target = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/disks?{VERSION}");
    for left in (0..240).rev() {
        let reply = client.get(&target).await;
        let told = format!(
            "Microsoft.Compute/HighCostGet3Min;{left},Microsoft.Compute/HighCostGet30Min;{}",
            left + 1680
        );
        assert_eq!(reply.header("x-ms-ratelimit-remaining-resource"), Some(told.as_str()));
    }
    let reply = client.get(&target).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("180")));
    assert_eq!(reply.json()["code"], "OperationNotAllowed", "without the envelope");
    assert_eq!(reply.json()["details"][0]["target"], "HighCostGet3Min");
    advance(Duration::from_mins(3)).await;
    assert_eq!(client.get(&target).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn answers_may_name_neither_the_rest_nor_the_time() {
    let limits = tight().throttling.unwrap();
    let throttling =
        Throttling { names_quota: false, names_retry_after: false, closed: Duration::from_secs(3), ..limits };
    let client = Client::new(Options { throttling: Some(throttling), ..tight() });
    let target = format!("{}?{VERSION}", client.seed("d"));
    for _ in 0..3 {
        let reply = client.get(&target).await;
        let header = reply.header("x-ms-ratelimit-remaining-subscription-reads");
        assert_eq!((reply.status, header), (200, None));
    }
    for second in 0..3 {
        let reply = client.get(&target).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, None), "second {second}");
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(client.get(&target).await.status, 200);
}
