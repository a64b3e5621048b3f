//! SIGKILL at each step of the route, and the result of the next delivery.

use diskseal_emulator::{
    Options, disk_body,
    fault::{Fault, Kind},
    options::OperationStyle,
};

use super::{disk, is_sealed, setup, start};
use crate::world::jane;

#[tokio::test]
async fn a_kill_at_any_request_is_made_good_by_the_next_delivery() {
    let holds: [fn() -> Fault; 2] = [Fault::hold_before_applying, Fault::hold_after_applying];
    for point in [Kind::Get, Kind::Patch, Kind::TagsWrite] {
        for hold in holds {
            let mut setup = setup();
            let mut options = Options { throttling: None, ..Options::default() };
            if let OperationStyle::Asynchronous(style) = &mut options.operations {
                style.retry_after_accepted = Some(0);
                style.retry_after_polling = Some(0);
            }
            setup.azure = options;
            let azure = start(setup, &[]).await;
            let held = azure.emulator.inject(hold().on(point));
            azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
            held.held().await;
            let pid = azure.host.pid("seal_on_write").unwrap();
            azure.host.kill("seal_on_write").await;
            assert_eq!(azure.host.wait_exit(pid).await.signal, Some(9));
            held.cut_off();
            held.remove();

            azure.host.ready().await.unwrap();
            azure.event_grid.idle().await;
            azure.host.queues_drained().await;
            assert!(is_sealed(&azure, &disk("d")), "{point:?}");
            assert!(azure.event_grid.dead_letters().is_empty());
        }
    }
}

#[tokio::test]
async fn a_kill_while_the_queue_is_worked_on_loses_nothing() {
    use diskseal_emulator::fault::Refusal;
    let azure = start(setup(), &[]).await;
    azure.emulator.inject(Fault::refuse(Refusal::scope_locked()).on(Kind::Patch));
    let held = azure.emulator.inject(Fault::hold_before_applying().on(Kind::Patch));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    held.held().await;
    azure.host.kill("seal_queued").await;
    held.cut_off();
    azure.host.ready().await.unwrap();
    azure.event_grid.idle().await;
    azure.host.queues_drained().await;
    assert!(is_sealed(&azure, &disk("d")));
}

#[tokio::test]
async fn a_host_that_kills_us_at_its_function_timeout_loses_nothing() {
    let azure = start(
        setup(),
        &[("DISKSEAL_DEADLINE", "240"), ("AzureFunctionsJobHost__functionTimeout", "00:00:01")],
    )
    .await;
    let pid = azure.host.pid("seal_on_write").unwrap();
    let held = azure.emulator.inject(Fault::hold_before_applying().on(Kind::Patch));
    azure.emulator.put(&disk("d"), &jane(), &disk_body("westeurope")).unwrap();
    held.held().await;
    assert_eq!(azure.host.wait_exit(pid).await.signal, Some(9));
    held.cut_off();
    azure.host.ready().await.unwrap();
    azure.event_grid.idle().await;
    assert!(is_sealed(&azure, &disk("d")));
}
