//! Ctrl-C. The first one stops a command at its next wait, so that it can say what it did; a second one, or one that
//! no command waits for, ends the process at once. `serve` has none of this: the Functions host reads its exit codes.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tokio::{runtime::Builder, sync::watch};

use super::{
    answer::{Exit, INTERRUPTED},
    output::{last_words, note},
};

/// The message of a command that goes on where it was stopped.
const AGAIN: &str = "Interrupted. Run it again to continue.";

/// How often Ctrl-C was pressed.
static PRESSED: LazyLock<watch::Sender<u32>> = LazyLock::new(|| watch::Sender::new(0));
/// Whether the command must clean up, and decides itself what a second Ctrl-C does.
static IS_LEFT_TO_COMMAND: AtomicBool = AtomicBool::new(false);

/// Starts to listen. Returns once no Ctrl-C can be lost. Without the means for it, Ctrl-C ends the process as usual.
pub(super) fn listen() {
    let (ready, is_ready) = mpsc::channel();
    let listen = move || {
        let Ok(runtime) = Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            let Ok(mut signals) = signals() else { return };
            // The receiver waits.
            let _ = ready.send(());
            while signals.recv().await.is_some() {
                pressed();
            }
        });
    };
    if thread::Builder::new().name("ctrl-c".to_owned()).spawn(listen).is_ok() {
        // An error means that the thread has ended.
        let _ = is_ready.recv();
    }
}

#[cfg(unix)]
fn signals() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signals() -> std::io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

fn pressed() {
    // Whoever waits is gone as soon as it knows.
    let is_waited_for = *PRESSED.borrow() == 0 && PRESSED.receiver_count() > 0;
    PRESSED.send_modify(|times| *times = times.saturating_add(1));
    if is_waited_for || IS_LEFT_TO_COMMAND.load(Ordering::Relaxed) {
        return;
    }
    last_words("Interrupted.");
    end();
}

#[expect(clippy::disallowed_methods, reason = "whoever presses Ctrl-C twice does not wait for destructors")]
fn end() {
    std::process::exit(INTERRUPTED.into());
}

/// Leaves further signals to the command.
pub(super) fn leave_to_command() {
    IS_LEFT_TO_COMMAND.store(true, Ordering::Relaxed);
}

/// Waits for Ctrl-C. One that came before counts.
pub(super) async fn interrupted() {
    let mut pressed = PRESSED.subscribe();
    if pressed.wait_for(|times| *times > 0).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The result of `work`, or none after Ctrl-C.
pub(super) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        result = work => Some(result),
        () = interrupted() => None,
    }
}

/// How a command ends that goes on where it was stopped.
pub(super) fn stopped() -> Exit {
    note(AGAIN);
    Exit::Interrupted
}

/// How a command ends that leaves nothing behind.
pub(super) fn stopped_with(what: &str) -> Exit {
    note(&format!("Interrupted; {what}."));
    Exit::Interrupted
}
