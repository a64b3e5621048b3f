//! Scripted faults and their trace in the journal.

use std::time::Duration;

use azure_core::{error::ErrorKind, http::Method};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Client, VERSION, mode};
use crate::fault::{Fault, Kind, Refusal};

fn has_mode(client: &Client, id: &str) -> bool {
    client.emulator.get(id).unwrap()["properties"].get("dataAccessAuthMode").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_fault_meets_what_it_names_as_often_as_it_says() {
    let client = Client::immediate();
    let (one, two) = (client.seed("one"), client.seed("two"));
    let fault = Fault::refuse(Refusal::scope_locked()).on(Kind::Patch).resource("ONE").after(1).times(2);
    let injected = client.emulator.inject(fault);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        assert_eq!(client.patch(&two, &mode()).await.status, 200);
        assert_eq!(client.get(&format!("{one}?{VERSION}")).await.status, 200);
        statuses.push(client.patch(&one, &mode()).await.status);
    }
    assert_eq!(statuses, [200, 409, 409, 200]);
    assert_eq!(injected.fired(), 2);
    let forever =
        client.emulator.inject(Fault::refuse(Refusal::server_error(500)).resource(one.as_str()).always());
    for _ in 0..3 {
        assert_eq!(client.patch(&one, &mode()).await.status, 500);
    }
    forever.remove();
    assert_eq!(client.patch(&one, &mode()).await.status, 200);
}

/// A share by chance, the same for the same seed.
#[tokio::test(start_paused = true)]
async fn a_fault_meets_a_share_of_the_requests_by_its_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let client = Client::immediate();
        let id = client.seed("d");
        client.emulator.inject(Fault::refuse(Refusal::server_error(500)).always().sometimes(0.3, seed));
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(client.get(&format!("{id}?{VERSION}")).await.status);
        }
        let refused = statuses.iter().filter(|status| **status == 500).count();
        assert!((30..90).contains(&refused), "{refused} of 200");
        assert_eq!(client.emulator.take_journal().len(), 200);
        assert!(client.emulator.take_journal().is_empty());
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn every_ready_made_refusal_has_its_shape() {
    let client = Client::immediate();
    let id = client.seed("d");
    for (refusal, status, code) in [
        (Refusal::scope_locked(), 409, "ScopeLocked"),
        (Refusal::disallowed_by_policy(), 403, "RequestDisallowedByPolicy"),
        (Refusal::deny_assignment(), 403, "DenyAssignmentAuthorizationFailed"),
        (Refusal::authorization_failed(), 403, "AuthorizationFailed"),
        (Refusal::conflict(), 409, "Conflict"),
        (Refusal::operation_not_allowed(), 409, "OperationNotAllowed"),
        (Refusal::active_sas(), 409, "ChangeDiskSizeWhileActiveSasNotAllowed"),
        (Refusal::throttled_arm(10), 429, "SubscriptionRequestsThrottled"),
        (Refusal::resource_not_found(), 404, "ResourceNotFound"),
        (Refusal::resource_group_not_found(), 404, "ResourceGroupNotFound"),
        (Refusal::subscription_not_found(), 404, "SubscriptionNotFound"),
        (Refusal::conflicting_user_input(), 400, "ConflictingUserInput"),
        (Refusal::invalid_parameter("dataAccessAuthMode", "Foo"), 400, "InvalidParameter"),
        (Refusal::server_error(500), 500, "InternalServerError"),
        (Refusal::server_error(503), 503, "ServerTimeout"),
        (Refusal::expired_token(), 401, "ExpiredAuthenticationToken"),
        (Refusal::claims_challenge(), 401, "InvalidAuthenticationToken"),
    ] {
        client.emulator.inject(Fault::refuse(refusal));
        let reply = client.patch(&id, &mode()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
        for place in ["{id}", "{name}", "{type}", "{group}", "{subscription}", "{action}", "{oid}", "{appid}"]
        {
            assert!(!reply.text.contains(place), "{code} leaves {place}");
        }
        if status == 401 {
            assert!(reply.header("www-authenticate").is_some());
        }
    }
    client.emulator.inject(Fault::refuse(Refusal::throttled_compute(1200)));
    let reply = client.patch(&id, &mode()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1200")));
    assert_eq!(reply.json()["code"], "OperationNotAllowed");
    assert!(!has_mode(&client, &id), "refused is not done");
}

#[tokio::test(start_paused = true)]
async fn connections_break_before_and_after_a_write() {
    let client = Client::immediate();
    let id = client.seed("d");
    let target = format!("{id}?{VERSION}");
    for (fault, done) in
        [(Fault::reset(), false), (Fault::reset_after_applying(), true), (Fault::half_an_answer(), true)]
    {
        client.patch(&id, &json!({"properties": {"dataAccessAuthMode": null}})).await;
        client.emulator.inject(fault.on(Kind::Patch));
        let error = client.try_send(Method::Patch, &target, Some(&mode())).await.err().unwrap();
        assert_eq!(*error.kind(), ErrorKind::Io);
        assert_eq!(has_mode(&client, &id), done);
    }
    let statuses: Vec<_> = client.emulator.journal().iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [Some(200), None, Some(200), None, Some(200), Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_waits_for_the_test() {
    let client = Client::immediate();
    let target = client.seed("d");
    for (fault, done_while_held) in
        [(Fault::hold_before_applying(), false), (Fault::hold_after_applying(), true)]
    {
        for go_on in [true, false] {
            client.patch(&target, &json!({"properties": {"dataAccessAuthMode": null}})).await;
            let held = client.emulator.inject(fault.clone().on(Kind::Patch));
            let path = format!("{target}?{VERSION}");
            let body = mode();
            let request = client.try_send(Method::Patch, &path, Some(&body));
            let script = async {
                held.held().await;
                assert_eq!(has_mode(&client, &target), done_while_held);
                if go_on { held.release() } else { held.cut_off() }
            };
            let (reply, ()) = tokio::join!(request, script);
            assert_eq!(reply.is_ok(), go_on);
            assert_eq!(has_mode(&client, &target), done_while_held || go_on);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_goes_on_when_its_client_has_gone() {
    let client = Client::immediate();
    let id = client.seed("d");
    let held = client.emulator.inject(Fault::hold_before_applying().on(Kind::Patch));
    {
        let (path, body) = (format!("{id}?{VERSION}"), mode());
        let request = client.try_send(Method::Patch, &path, Some(&body));
        tokio::select! {
            _ = request => panic!("answered although held"),
            () = held.held() => {}
        }
    }
    assert!(!has_mode(&client, &id));
    held.release();
    client.emulator.wait_until(|_| has_mode(&client, &id)).await;
    let exchange = client.emulator.wait_for(|exchange| exchange.kind == Kind::Patch).await;
    assert_eq!(exchange.fault, Some("hold before applying"));
}

#[tokio::test(start_paused = true)]
async fn reads_can_be_stale_late_slow_and_not_json() {
    let client = Client::immediate();
    let id = client.seed("d");
    let target = format!("{id}?{VERSION}");
    client.patch(&id, &mode()).await;
    client.emulator.inject(Fault::stale_read());
    assert!(client.get(&target).await.json()["properties"].get("dataAccessAuthMode").is_none());
    assert!(client.get(&target).await.json()["properties"].get("dataAccessAuthMode").is_some());

    client.emulator.inject(Fault::not_yet_visible(2).resource("late"));
    let late = format!("{}?{VERSION}", id.replace("disks/d", "disks/late"));
    assert_eq!(client.get(&late).await.status, 404, "does not count: it does not exist");
    client.seed("late");
    let statuses =
        [client.get(&late).await.status, client.get(&late).await.status, client.get(&late).await.status];
    assert_eq!(statuses, [404, 404, 200]);

    client.emulator.inject(Fault::delay(Duration::from_secs(40)));
    let before = Instant::now();
    client.get(&target).await;
    assert_eq!(before.elapsed(), Duration::from_secs(40));

    client.emulator.inject(Fault::html(502));
    let reply = client.get(&target).await;
    assert_eq!((reply.status, reply.header("content-type")), (502, Some("text/html")));
}

#[tokio::test(start_paused = true)]
async fn the_token_endpoint_fails_too() {
    let client = Client::immediate();
    client.emulator.inject(Fault::refuse(Refusal::server_error(500)).on(Kind::Token));
    let target = "http://127.0.0.1:1/msi/token?resource=x&api-version=2019-08-01";
    assert_eq!(client.get(target).await.status, 500);
    assert_eq!(client.get(target).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn the_journal_keeps_what_matters() {
    let client = Client::immediate();
    let id = client.seed("d");
    client.patch(&id, &mode()).await;
    client.get(&format!("{}?{VERSION}", client.seed("dd"))).await;
    let about = client.emulator.requests_for(&id.to_ascii_uppercase());
    assert_eq!(about.len(), 1, "not those of a name that begins so");
    let patch = &about[0];
    assert_eq!((patch.method.as_str(), patch.status, &patch.request_body), ("PATCH", Some(200), &mode()));
    assert_eq!(patch.object_id.as_deref(), Some(super::user().object_id.as_str()));
    assert_eq!(patch.parameter("api-version").as_deref(), Some("2024-03-02"));
    assert!(patch.response_header("x-ms-request-id").is_some() && patch.response_body != Value::Null);
    client.emulator.clear_journal();
    assert!(client.emulator.journal().is_empty());
}
