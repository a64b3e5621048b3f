//! `diskseal serve`: the custom handler's process, from its socket to its exit code.
//!
//! The exit code is a message to the Functions host, which restarts its handler by it: after 0 it
//! does nothing, and every later invocation fails; after 200 it restarts and counts no error; after
//! any other it restarts twice, and shuts itself down the third time. So we never leave with 0. Who
//! stops us by a signal means no error, and may be anyone: if it is the host's own end, nobody looks
//! at the code; if it is an operator or a platform that meant only us, the host must start us again.
//! Both are served by 200. Settings that cannot work leave with 2 and a port that is taken with 1:
//! there, a host that tries three times and then stands still is what makes the fault seen.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::serve::ListenerExt;
use tokio::{
    runtime::{Handle, Runtime},
    signal::unix::{SignalKind, signal},
};
use tracing::{error, info, warn};

use super::session::{Exit, client, complain, now, warn_of_references};
use crate::{
    azure::Terms,
    config::Config,
    enforce::Context,
    function::{self, App},
    telemetry::{Audience, Connection, Telemetry},
};

/// The host restarts its handler after this one, and counts no error.
const RESTART_ME: u8 = 200;
/// How long telemetry may take to leave at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves until a signal.
pub(super) fn run(lookup: &dyn Fn(&str) -> Option<String>) -> ExitCode {
    let (config, port) = match Config::for_serve(lookup) {
        Ok(settings) => settings,
        Err(faults) => return complain(&faults.to_string(), Exit::Usage),
    };
    // The host polls from now on, and waits for half a minute: listen first, warm up later.
    let listener = match listen(port) {
        Ok(listener) => listener,
        Err(fault) => return complain(&format!("cannot listen on 127.0.0.1:{port}: {fault}"), Exit::NotAll),
    };
    let telemetry = Telemetry::start(lookup, Audience::Host, &config.azure_monitor);
    warn_of_references();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(fault) => {
            error!("no async runtime: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config, listener, &telemetry));
    // The runtime carries the last exports.
    telemetry.stop(FLUSH_TIMEOUT);
    code
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    // Loopback alone: nothing stands between the host and its handler that asks who is calling.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(config: Config, listener: TcpListener, telemetry: &Telemetry) -> ExitCode {
    let deadline = config.deadline;
    let app = Arc::new(App::new(deadline));
    let (listener, stop) = match (tokio::net::TcpListener::from_std(listener), Stop::new()) {
        (Ok(listener), Ok(stop)) => (listener, stop),
        (Err(fault), _) | (_, Err(fault)) => {
            error!("cannot serve: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let listener = listener.tap_io(|stream| {
        // Answers are small; waiting for more of them would cost 40 ms each.
        let _ = stream.set_nodelay(true);
    });
    let stopping = Arc::new(tokio::sync::Notify::new());
    let server = axum::serve(listener, function::router(Arc::clone(&app)));
    let server = server.with_graceful_shutdown({
        let stopping = Arc::clone(&stopping);
        async move { stopping.notified().await }
    });

    let warm_up = async {
        match warm(config).await {
            Ok((context, connection)) => {
                telemetry.connect(connection);
                // Only this sets it.
                let _ = app.context.set(Arc::clone(&context));
                if let Err(fault) = context.object_id(Terms::for_event(deadline)).await {
                    warn!("no token yet: {fault}");
                }
                std::future::pending().await
            }
            Err(fault) => fault,
        }
    };
    let server = async move { server.await };
    tokio::pin!(server);
    tokio::select! {
        result = &mut server => {
            error!("the server ended by itself: {result:?}");
            return ExitCode::FAILURE;
        }
        fault = warm_up => {
            error!("cannot start: {fault}");
            return Exit::Usage.into();
        }
        name = stop.received() => info!("{name}: finishing what is in flight"),
    }
    stopping.notify_one();
    // Every invocation has its own deadline; a little more covers its answer.
    if tokio::time::timeout(deadline + Duration::from_secs(1), server).await.is_err() {
        warn!("not everything was finished in time; it will be delivered again");
    }
    ExitCode::from(RESTART_ME)
}

/// Builds everything that takes time.
async fn warm(config: Config) -> Result<(Arc<Context>, Connection), String> {
    let runtime = Handle::current();
    let build = move || {
        let (arm, connection) = client(&config, runtime)?;
        Ok((Arc::new(Context::new(arm, config.policy, config.options, now)), connection))
    };
    tokio::task::spawn_blocking(build).await.map_err(|fault| fault.to_string())?
}

/// SIGTERM, as container platforms send it, and SIGINT, as Ctrl-C under the Functions Core Tools.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
