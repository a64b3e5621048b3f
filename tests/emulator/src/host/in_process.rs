//! A handler that is a service inside the test instead of a process, for tests on a paused clock.

use std::sync::Arc;

use axum::{
    Router,
    http::{Request, Response},
};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tower::ServiceExt as _;

use super::{
    client::Body,
    process::{Exit, Order, Phase, Process, State},
    records::Records,
    reply::Failure,
};

/// The handler's service, and the function that creates a new one after a crash, without state.
pub(super) struct InProcess {
    make: Box<dyn Fn() -> Router + Send + Sync>,
    router: Mutex<Router>,
    generation: watch::Sender<u32>,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl InProcess {
    pub(super) fn new(make: impl Fn() -> Router + Send + Sync + 'static) -> Self {
        let router = Mutex::new(make());
        Self { make: Box::new(make), router, generation: watch::Sender::new(1) }
    }

    /// Serves a request, unless the handler is killed meanwhile.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Response<axum::body::Body>, Failure> {
        let mut generation = self.generation.subscribe();
        let router = self.router.lock().clone();
        tokio::select! {
            // A killed service does not answer, even if it was about to.
            biased;
            _ = generation.changed() => Err(Failure::Connection("the handler was killed".to_owned())),
            response = router.oneshot(request.map(axum::body::Body::new)) => {
                response.map_err(|never| match never {})
            }
        }
    }

    /// Drops what is running and starts again. Returns the generation that has ended.
    fn crash(&self) -> u32 {
        *self.router.lock() = (self.make)();
        let ended = *self.generation.borrow();
        self.generation.send_replace(ended + 1);
        ended
    }

    /// Handles the orders for a process. Generations stand in for process ids.
    pub(super) fn supervise(self: Arc<Self>, records: &Records) -> (Process, JoinHandle<()>) {
        let (state, watched) = watch::channel(State { phase: Phase::Ready, pid: Some(1) });
        let (orders, mut received) = mpsc::unbounded_channel();
        let exits = Arc::clone(&records.exits);
        let process = Process {
            state: watched,
            orders,
            exits: Arc::clone(&exits),
            console: Arc::clone(&records.console),
        };
        let task = tokio::spawn(async move {
            while let Some(order) = received.recv().await {
                let current = *self.generation.borrow();
                let (done, counted, stop) = match order {
                    Order::Kill(done) => (Some(done), true, false),
                    Order::Terminate => (None, true, false),
                    Order::Restart(pid, done) if pid != current => {
                        let _ = done.send(());
                        continue;
                    }
                    Order::Restart(_, done) => (Some(done), false, false),
                    Order::Stop(done) | Order::ShutDown(_, done) => (Some(done), false, true),
                };
                let pid = self.crash();
                let phase = if stop { Phase::Down("the host was stopped".to_owned()) } else { Phase::Ready };
                state.send_replace(State { phase, pid: (!stop).then_some(pid + 1) });
                exits.push(Exit { pid, code: None, signal: Some(9), counted });
                done.map(|done| done.send(()));
                if stop {
                    return;
                }
            }
        });
        (process, task)
    }
}
