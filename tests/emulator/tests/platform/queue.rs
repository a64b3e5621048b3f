//! The storage queue and the queue trigger's listener.

use std::{sync::Arc, time::Duration};

use diskseal_emulator::queue::{
    Encoding, MESSAGE_LIMIT, QueueError, QueueMessage, QueueTrigger, Queues, TriggerOptions,
};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

const MINUTE: Duration = Duration::from_mins(1);

/// The host's defaults, and looks that are never more than 0.1 s apart.
fn often() -> TriggerOptions {
    TriggerOptions { max_polling_interval: TriggerOptions::POLLING_MIN, ..TriggerOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn a_received_message_is_invisible_until_its_time_is_over() {
    let queue = Queues::new(1.0).queue("q");
    let put = queue.put("one").unwrap();
    assert_eq!((put.dequeue_count, queue.peek(32).len()), (0, 1));
    let first = queue.receive(32, MINUTE).remove(0);
    assert_eq!((first.id.as_str(), first.dequeue_count), (put.id.as_str(), 1));
    assert_eq!(first.next_visible_time - first.insertion_time, MINUTE);
    assert!(queue.receive(32, MINUTE).is_empty() && queue.peek(32).is_empty());
    assert_eq!(queue.len(), 1);
    queue.visible().await;
    let second = queue.receive(32, MINUTE).remove(0);
    assert_eq!(second.dequeue_count, 2);
    assert_eq!(queue.delete(&first.id, &first.pop_receipt), Err(QueueError::PopReceiptMismatch));
    assert_eq!(queue.delete("other", "x"), Err(QueueError::MessageNotFound));
    queue.delete(&second.id, &second.pop_receipt).unwrap();
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_expire_and_have_a_size() {
    let queue = Queues::new(1.0).queue("q");
    queue.put("x".repeat(MESSAGE_LIMIT)).unwrap();
    assert_eq!(
        queue.put("x".repeat(MESSAGE_LIMIT + 1)),
        Err(QueueError::MessageTooLarge { bytes: MESSAGE_LIMIT + 1 })
    );
    tokio::time::sleep(Duration::from_hours(7 * 24)).await;
    assert!(queue.is_empty() && queue.receive(1, MINUTE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn speed_divides_visibility() {
    let queue = Queues::new(60.0).queue("q");
    queue.put("x").unwrap();
    queue.receive(1, MINUTE);
    let start = Instant::now();
    queue.visible().await;
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_ends_in_the_poison_queue() {
    let queues = Queues::new(1.0);
    queues.queue("q").put(Encoding::Base64.encode(b"bad")).unwrap();
    let start = Instant::now();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&attempts);
    let options = TriggerOptions { max_dequeue_count: 3, visibility_timeout: MINUTE, ..often() };
    let trigger = QueueTrigger::start(&(&queues).into(), "q", options, move |message: QueueMessage| {
        seen.lock().push((message.text, message.dequeue_count, start.elapsed().as_secs()));
        async { false }
    });
    trigger.unwrap().drained().await;
    let expected = [("bad".to_owned(), 1, 0), ("bad".to_owned(), 2, 60), ("bad".to_owned(), 3, 120)];
    assert_eq!(*attempts.lock(), expected);
    let poison = queues.poison("q").messages();
    assert_eq!((poison[0].text.as_str(), poison[0].dequeue_count), ("YmFk", 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_in_another_encoding_is_poison_unseen() {
    let queues = Queues::new(1.0);
    queues.queue("q").put("{not base64}").unwrap();
    let trigger =
        QueueTrigger::start(&(&queues).into(), "q", TriggerOptions::default(), |message| async move {
            panic!("{message:?} must not be seen")
        });
    trigger.unwrap().drained().await;
    assert_eq!(queues.poison("q").messages()[0].text, "{not base64}");
}

#[tokio::test(start_paused = true)]
async fn no_more_messages_are_in_progress_than_a_batch_and_its_threshold() {
    let queues = Queues::new(1.0);
    for _ in 0..50 {
        queues.queue("q").put("x").unwrap();
    }
    let (running, most) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(0_usize)));
    let gate = Arc::new(Notify::new());
    let options = TriggerOptions { encoding: Encoding::None, ..TriggerOptions::default() };
    let trigger = {
        let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
        QueueTrigger::start(&(&queues).into(), "q", options, move |_| {
            let (running, most, gate) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
            async move {
                let now = {
                    let mut running = running.lock();
                    *running += 1;
                    *running
                };
                {
                    let mut most = most.lock();
                    *most = (*most).max(now);
                }
                gate.notified().await;
                *running.lock() -= 1;
                true
            }
        })
    };
    let opener = tokio::spawn(async move {
        // On a paused clock the sleep ends once everything else is idle.
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            gate.notify_one();
        }
    });
    trigger.unwrap().drained().await;
    opener.abort();
    assert_eq!(*most.lock(), 24);
}
