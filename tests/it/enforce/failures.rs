//! Every failure: its concern, the requests in the meantime, and that a later look succeeds.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::Url,
};
use diskseal::{
    arm::Client,
    azure::Identity,
    enforce::{Concern, Context, Error, Outcome},
};
use diskseal_emulator::{
    Member, Options,
    fault::{Fault, Kind, Refusal},
    options::{Asynchronous, OperationStyle, TagsStyle},
};
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::world::{SUBSCRIPTION, World};

/// The persistent faults, with the concern and the reason of each.
fn lasting() -> Vec<(Fault, Concern, &'static str)> {
    let refuse = |refusal, kind| Fault::refuse(refusal).on(kind).always();
    vec![
        (refuse(Refusal::scope_locked(), Kind::Patch), Concern::Resource, "locked"),
        (refuse(Refusal::scope_locked(), Kind::TagsWrite), Concern::Resource, "locked"),
        (refuse(Refusal::disallowed_by_policy(), Kind::Patch), Concern::Resource, "disallowed_by_policy"),
        (refuse(Refusal::deny_assignment(), Kind::Patch), Concern::Resource, "deny_assignment"),
        (refuse(Refusal::authorization_failed(), Kind::Get), Concern::Resource, "forbidden"),
        (refuse(Refusal::authorization_failed(), Kind::Patch), Concern::Resource, "forbidden"),
        (refuse(Refusal::authorization_failed(), Kind::TagsWrite), Concern::Resource, "forbidden"),
        (refuse(Refusal::operation_not_allowed(), Kind::Patch), Concern::Resource, "conflict"),
        (refuse(Refusal::active_sas(), Kind::Patch), Concern::Resource, "conflict"),
        (refuse(Refusal::conflict(), Kind::Patch), Concern::Resource, "overtaken"),
        (refuse(Refusal::conflicting_user_input(), Kind::Patch), Concern::Resource, "refused"),
        (refuse(Refusal::subscription_not_found(), Kind::Get), Concern::Resource, "subscription_not_found"),
        (refuse(Refusal::invalid_token_tenant(), Kind::Get), Concern::Resource, "wrong_tenant"),
        (refuse(Refusal::new(400, "BadRequest", "m"), Kind::Patch), Concern::Resource, "refused"),
        (
            Fault::operation_fails("InternalExecutionError", "m").always(),
            Concern::Resource,
            "operation_failed",
        ),
        (Fault::operation_canceled().always(), Concern::Resource, "operation_canceled"),
        (Fault::endless_answer().on(Kind::Get).always(), Concern::Resource, "answer_too_large"),
        (Fault::operation_preempted().always(), Concern::Resource, "overtaken"),
        (refuse(Refusal::expired_token(), Kind::Get), Concern::System, "unauthorized"),
        (refuse(Refusal::claims_challenge(), Kind::Patch), Concern::System, "unauthorized"),
        (refuse(Refusal::throttled_arm(1200), Kind::Get), Concern::Quota, "throttled"),
        (refuse(Refusal::throttled_arm(2), Kind::Patch), Concern::Quota, "throttled"),
        (refuse(Refusal::throttled_compute(1200), Kind::Patch), Concern::Quota, "throttled"),
        (refuse(Refusal::server_error(500), Kind::Get), Concern::System, "server_error"),
        (refuse(Refusal::server_error(503), Kind::Patch), Concern::System, "server_error"),
        (refuse(Refusal::server_error(502), Kind::TagsWrite), Concern::System, "server_error"),
        (Fault::reset().on(Kind::Get).always(), Concern::System, "unreachable"),
        (Fault::half_an_answer().on(Kind::Get).always(), Concern::System, "unreachable"),
        (Fault::html(200).on(Kind::Get).always(), Concern::System, "unreadable"),
        (Fault::html(302).on(Kind::Patch).always(), Concern::System, "unreadable"),
        (Fault::delay(Duration::from_mins(1)).on(Kind::Get).always(), Concern::System, "timeout"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_lasting_failure_ends_within_the_deadline_and_is_made_good_later() {
    for (fault, scope, reason) in lasting() {
        let world = World::with(Options { throttling: None, ..Options::default() }, &[]);
        let id = world.disk("d");
        let injected = world.fault(fault.clone());
        let started = Instant::now();
        let error = world.enforce(&id).await.expect_err(reason);
        assert_eq!((error.concern(), error.reason()), (scope, reason), "{fault:?}: {error}");
        assert!(started.elapsed() <= Duration::from_secs(25), "{fault:?} took {:?}", started.elapsed());
        let text = error.to_string();
        assert!(!text.contains('\n') && text.len() < 500, "{text}");

        // An accepted change may still be running, and ARM may have asked for a pause.
        injected.remove();
        tokio::time::advance(Duration::from_mins(21)).await;
        let later = world.restarted();
        assert!(later.enforce(&id).await.is_ok(), "{fault:?}");
        assert!(later.is_sealed(&id), "{fault:?}");
    }
}

/// A new reason needs a fault of the local Azure that leads to it, or a test of its own that is named here.
#[test]
fn every_reason_is_provoked_by_a_test() {
    let of_tests_below = [
        "busy",
        "deadline",
        "not_visible",
        "unproven",
        "unfinished",
        "no_token",
        "provisioning",
        "guard_unknown",
    ];
    let of_odd_answers = ["malformed", "scope_unreadable"];
    let of_uploads = ["ready_to_upload", "active_upload", "import", "empty_snapshot", "attached"];
    let of_removals = ["seal_removed"];
    let of_networks = ["network_unknown"];
    // A resource that does not exist is an outcome on every path.
    let never = ["gone"];
    let provoked = lasting().into_iter().map(|(.., reason)| reason).chain(of_tests_below);
    let provoked: BTreeSet<_> = provoked
        .chain(of_uploads)
        .chain(of_removals)
        .chain(of_networks)
        .chain(of_odd_answers)
        .chain(never)
        .collect();
    let missing: Vec<_> = Error::reasons().into_iter().filter(|reason| !provoked.contains(reason)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_not_noticed() {
    for fault in [
        Fault::refuse(Refusal::server_error(500)).times(2),
        Fault::refuse(Refusal::server_error(502)),
        Fault::refuse(Refusal::server_error(504)),
        Fault::refuse(Refusal::server_error(408)),
        Fault::refuse(Refusal::server_error(503).with_header("retry-after", "5")),
        Fault::refuse(Refusal::throttled_arm(3)),
        Fault::refuse(Refusal::throttled_compute(4)),
        Fault::refuse(Refusal::expired_token()),
        Fault::refuse(Refusal::claims_challenge()),
        Fault::reset(),
        Fault::reset_after_applying(),
        Fault::half_an_answer(),
        Fault::delay(Duration::from_secs(12)),
        Fault::delay(Duration::from_secs(3)),
        Fault::refuse_after_applying(Refusal::server_error(500)),
    ] {
        for kind in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
            let world = World::new();
            let id = world.disk("d");
            let injected = world.fault(fault.clone().on(kind));
            let outcome = world.enforce(&id).await;
            assert_eq!(outcome.map(|outcome| outcome.label()), Ok("sealed"), "{kind:?} {fault:?}");
            assert!(world.is_sealed(&id));
            assert!(injected.fired() >= 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_and_nothing_is_sent_before_it() {
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::refuse(Refusal::throttled_arm(7)).on(Kind::Patch));
    world.enforce(&id).await.unwrap();
    let patches: Vec<_> =
        world.exchanges(&id).into_iter().filter(|exchange| exchange.kind == Kind::Patch).collect();
    assert_eq!(patches.len(), 2);
    assert!(patches[1].received - patches[0].answered >= time::Duration::seconds(7));
}

#[tokio::test(start_paused = true)]
async fn a_429_stops_the_writes_of_its_subscription_and_of_no_other() {
    let world = World::new();
    let (first, second) = (world.disk("first"), world.disk("second"));
    world.fault(Fault::refuse(Refusal::throttled_arm(600)).on(Kind::Patch));
    assert_eq!(world.enforce(&first).await.unwrap_err().reason(), "throttled");
    let started = Instant::now();
    assert_eq!(world.enforce(&second).await.unwrap_err().reason(), "throttled");
    assert_eq!(world.requests(&second), [Kind::Get], "the gate is closed for writes, and open for reads");
    assert_eq!(started.elapsed(), Duration::ZERO, "there is no use in waiting");

    let elsewhere = first.replace("11111111-2222", "22222222-2222");
    world.azure.insert(&elsewhere, &diskseal_emulator::disk_body("westeurope")).unwrap();
    assert_eq!(world.enforce(&elsewhere).await.unwrap().label(), "sealed");

    tokio::time::advance(Duration::from_mins(10)).await;
    assert_eq!(world.enforce(&second).await.unwrap().label(), "sealed");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_provisioning_is_waited_for_briefly_and_then_left_to_the_queue() {
    let world = World::new();
    let id = world.disk("d");
    world.azure.set_property(&id, "provisioningState", json!("Updating"));
    let started = Instant::now();
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::Resource, "provisioning"));
    assert!(started.elapsed() <= Duration::from_secs(5), "an invocation is not held for it");
    assert_eq!(world.writes(), 0);

    world.azure.set_property(&id, "provisioningState", json!("Succeeded"));
    assert_eq!(world.enforce(&id).await.unwrap().label(), "sealed");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_look_until_the_deadline_is_busy_and_for_a_shared_read_out_of_time() {
    let (slow, short) = (Duration::from_secs(10), Duration::from_secs(5));
    let world = World::new();
    let id = world.disk("d");
    world.fault(Fault::delay(slow).on(Kind::Get));
    let (first, second) = tokio::join!(world.enforce(&id), world.enforce_within(&id, short));
    assert_eq!((first.unwrap().label(), second.unwrap_err().reason()), ("sealed", "busy"));

    let world = World::with(Options::immediate(), &[("DISKSEAL_MANAGEMENT_GROUP", "mg")]);
    let ids = ["a", "b"].map(|name| world.disk(name));
    world.azure.set_management_group("mg", &[Member::Subscription(SUBSCRIPTION.to_owned())]);
    world.fault(Fault::delay(slow).on(Kind::Descendants));
    let (first, second) = tokio::join!(world.enforce(&ids[0]), world.enforce_within(&ids[1], short));
    let second = second.unwrap_err();
    assert_eq!(first.unwrap().label(), "sealed");
    assert_eq!((second.concern(), second.reason()), (Concern::System, "deadline"));
}

#[tokio::test(start_paused = true)]
async fn tags_that_are_accepted_and_do_not_show_are_unfinished() {
    let world = World::new();
    let id = world.disk("d");
    let ineffective = world.fault(Fault::text(202, "application/json", "").on(Kind::TagsWrite).always());
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::Resource, "unfinished"));
    assert_eq!(world.requests(&id).iter().filter(|kind| **kind == Kind::TagsWrite).count(), 1);
    ineffective.remove();
    assert_eq!(world.enforce(&id).await.unwrap().label(), "tagged");
}

/// The identity endpoint refuses.
#[derive(Debug)]
struct Nobody;

#[async_trait::async_trait]
impl TokenCredential for Nobody {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Err(azure_core::Error::with_message(ErrorKind::Credential, "nobody is assigned"))
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_asked_of_arm() {
    let mut world = World::new();
    let id = world.disk("d");
    let identity =
        Identity::with_credential("scope".to_owned(), OffsetDateTime::now_utc, || Ok(Arc::new(Nobody)))
            .unwrap();
    let endpoint = Url::parse("https://management.azure.com").unwrap();
    let arm = Client::new(endpoint, world.azure.http_client(), identity, None);
    world.ctx =
        Context::new(arm, world.ctx.policy.clone(), world.ctx.options.clone(), OffsetDateTime::now_utc);
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::System, "no_token"));
    assert!(world.requests(&id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_that_outlasts_the_deadline_is_confirmed_by_a_later_look() {
    let slow = Asynchronous { duration: Duration::from_mins(2), ..Asynchronous::default() };
    let options = Options {
        operations: OperationStyle::Asynchronous(slow),
        tags: TagsStyle::Merged,
        ..Options::default()
    };
    let world = World::with(options, &[]);
    let id = world.disk("d");
    let error = world.enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::Resource, "unfinished"));
    tokio::time::advance(Duration::from_mins(2)).await;
    // The mode has been set in the meantime; the tags are still missing.
    let later = world.restarted();
    match later.enforce(&id).await {
        Ok(Outcome::Tagged(_)) => {}
        other => panic!("{other:?}"),
    }
    assert!(later.is_sealed(&id));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_never_ends_holds_no_invocation() {
    let world = World::with(Options::default(), &[]);
    let id = world.disk("d");
    world.fault(Fault::operation_never_ends());
    assert_eq!(world.enforce(&id).await.unwrap_err().reason(), "unfinished");
    let started = Instant::now();
    let error = world.restarted().enforce(&id).await.unwrap_err();
    assert_eq!((error.concern(), error.reason()), (Concern::Resource, "provisioning"));
    assert!(started.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn one_bad_resource_does_not_slow_the_others() {
    let world = World::with(Options { throttling: None, ..Options::default() }, &[]);
    let bad: Vec<_> = (0..20).map(|n| world.disk(&format!("bad{n}"))).collect();
    for n in 0..20 {
        world.fault(Fault::delay(Duration::from_mins(1)).on(Kind::Get).resource(format!("bad{n}")).always());
    }
    let good = world.disk("good");
    let all_bad = futures::future::join_all(bad.iter().map(|id| world.enforce(id)));
    let timed = async {
        let started = Instant::now();
        world.enforce(&good).await.unwrap();
        started.elapsed()
    };
    let (bad, took) = tokio::join!(all_bad, timed);
    assert!(bad.iter().all(Result::is_err));
    assert!(took <= Duration::from_secs(14), "an undisturbed seal takes Azure 12 s, this one took {took:?}");
}
