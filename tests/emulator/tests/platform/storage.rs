//! One suite for the storage account in process and for a real one: both must have the properties that the
//! Functions host relies on. `DISKSEAL_STORAGE` is the connection string of the real account;
//! tests/judges/azurite sets it.

use std::{
    io::Write as _,
    sync::{Arc, Once},
    time::Duration,
};

use diskseal_emulator::{
    queue::{
        AccountQueue, Encoding, QueueAccount, QueueError, QueueMessage, QueueTrigger, Queues, TriggerOptions,
    },
    storage::StorageAccount,
};
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);

/// The accounts to test.
fn accounts() -> Vec<QueueAccount> {
    static SAID: Once = Once::new();
    let mut accounts = vec![QueueAccount::from(&Queues::new(1.0))];
    match std::env::var("DISKSEAL_STORAGE") {
        Ok(connection) => accounts.push(StorageAccount::new(&connection, 1.0).unwrap().into()),
        // Bypasses the test harness, which would capture it.
        Err(_) => SAID.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: DISKSEAL_STORAGE names no storage account; tests/judges/run azurite does"
            );
        }),
    }
    accounts
}

/// A queue with a unique name, and the account's listener for it.
fn queue(account: &QueueAccount) -> (String, AccountQueue) {
    let name = format!("q{}", Uuid::new_v4().simple());
    let queue = account.queue(&name).unwrap();
    (name, queue)
}

async fn lease(queue: &AccountQueue, wait: Duration) -> Vec<QueueMessage> {
    queue.lease(32, wait).await.unwrap()
}

/// The next message, once there is one.
async fn next(queue: &AccountQueue, wait: Duration) -> QueueMessage {
    loop {
        if let Some(message) = queue.lease(1, wait).await.unwrap().pop() {
            return message;
        }
        queue.pause(SECOND / 10, false).await;
    }
}

#[tokio::test]
async fn a_leased_message_is_hidden_comes_back_and_is_counted() {
    for account in accounts() {
        let (_, queue) = queue(&account);
        queue.put("one".to_owned()).await.unwrap();
        let first = next(&queue, 600 * SECOND).await;
        assert_eq!((first.text.as_str(), first.dequeue_count), ("one", 1));
        assert!(lease(&queue, SECOND).await.is_empty(), "hidden");
        assert_eq!(queue.count().await.unwrap(), 1, "and there");

        let hidden = Instant::now();
        queue.hide(&first.id, &first.pop_receipt, SECOND).await.unwrap();
        let second = next(&queue, 600 * SECOND).await;
        let waited = hidden.elapsed();
        assert!((SECOND / 2..5 * SECOND).contains(&waited), "visible again after {waited:?}");
        assert_eq!((second.id.as_str(), second.dequeue_count), (first.id.as_str(), 2));
        assert_eq!(second.insertion_time, first.insertion_time);

        let stale = queue.delete(&first.id, &first.pop_receipt).await.unwrap_err();
        assert!(
            matches!(
                stale,
                QueueError::PopReceiptMismatch | QueueError::MessageNotFound | QueueError::Service(_)
            ),
            "{stale:?}"
        );
        queue.delete(&second.id, &second.pop_receipt).await.unwrap();
        queue.emptied().await;
    }
}

#[tokio::test]
async fn a_batch_is_up_to_32_and_the_oldest_first() {
    for account in accounts() {
        let (_, queue) = queue(&account);
        for number in 0..40 {
            queue.put(number.to_string()).await.unwrap();
        }
        assert_eq!(queue.count().await.unwrap(), 40);
        let batch = queue.lease(100, 600 * SECOND).await.unwrap();
        let texts: Vec<_> = batch.iter().map(|message| message.text.clone()).collect();
        assert_eq!(texts, (0..32).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(lease(&queue, SECOND).await.len(), 8);
    }
}

#[tokio::test]
async fn the_largest_message_has_64_kib() {
    for account in accounts() {
        let (_, queue) = queue(&account);
        queue.put("x".repeat(64 * 1024)).await.unwrap();
        assert!(queue.put("x".repeat(64 * 1024 + 1)).await.is_err());
        assert_eq!(lease(&queue, SECOND).await.remove(0).text.len(), 64 * 1024);
    }
}

#[tokio::test]
async fn a_message_is_what_the_function_gets_and_is_deleted_when_it_succeeds() {
    for account in accounts() {
        let (name, queue) = queue(&account);
        queue.put(Encoding::Base64.encode("{\"ä\": \"<&>\"}".as_bytes())).await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let texts = Arc::clone(&seen);
        let options = TriggerOptions::default();
        let trigger = QueueTrigger::start(&account, &name, options, move |message: QueueMessage| {
            texts.lock().push(message.text);
            async { true }
        });
        trigger.unwrap().drained().await;
        assert_eq!(*seen.lock(), ["{\"ä\": \"<&>\"}"]);
        assert_eq!(account.poison(&name).unwrap().count().await.unwrap_or_default(), 0);
    }
}

#[tokio::test]
async fn a_message_that_always_fails_comes_back_each_time_and_ends_in_the_poison_queue() {
    for account in accounts() {
        let (name, queue) = queue(&account);
        queue.put(Encoding::Base64.encode(b"bad")).await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let attempts = Arc::clone(&seen);
        let options =
            TriggerOptions { max_dequeue_count: 3, visibility_timeout: SECOND, ..TriggerOptions::default() };
        let started = Instant::now();
        let trigger = QueueTrigger::start(&account, &name, options, move |message: QueueMessage| {
            attempts.lock().push((message.text, message.dequeue_count));
            async { false }
        });
        trigger.unwrap().drained().await;
        assert!(started.elapsed() >= SECOND, "two time-outs, of a second each but for its beginning");
        let expected = [1, 2, 3].map(|count| ("bad".to_owned(), count));
        assert_eq!(*seen.lock(), expected);
        let poison = lease(&account.poison(&name).unwrap(), SECOND).await.remove(0);
        assert_eq!((poison.text.as_str(), poison.dequeue_count), ("YmFk", 1), "as it was stored");
    }
}

#[tokio::test]
async fn a_message_in_another_encoding_is_poison_unseen() {
    for account in accounts() {
        let (name, queue) = queue(&account);
        queue.put("{not base64}".to_owned()).await.unwrap();
        let options = TriggerOptions { max_dequeue_count: 2, ..TriggerOptions::default() };
        let trigger = QueueTrigger::start(&account, &name, options, |message| async move {
            panic!("{message:?} must not be seen")
        });
        trigger.unwrap().drained().await;
        let poison = lease(&account.poison(&name).unwrap(), SECOND).await.remove(0);
        assert_eq!(poison.text, "{not base64}");
    }
}
