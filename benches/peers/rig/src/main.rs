//! What `benches/peers/run` puts around each handler.
//!
//! ```text
//! rig azure                     serves Azure on a free port of loopback, and prints its address
//! rig load --url URL …          sends events as the Functions host does, and prints figures as JSON
//! ```
//!
//! Both run on one thread each, so that as much as possible of the machine is left to the handler.

mod azure;
mod load;

use std::{error::Error, process::ExitCode, time::Duration};

use hyper::Uri;
use lexopt::{Arg, Parser, ValueExt};

type Fault = Box<dyn Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("rig: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    let mut arguments = Parser::from_env();
    let command = arguments.next()?;
    match command {
        Some(Arg::Value(name)) if name == "azure" => runtime.block_on(tasks.run_until(azure::serve())),
        Some(Arg::Value(name)) if name == "load" => {
            let plan = plan(arguments)?;
            let figures = runtime.block_on(tasks.run_until(load::run(plan)))?;
            println!("{figures}");
            Ok(())
        }
        _ => Err("give a command: azure or load".into()),
    }
}

/// Reads `--url URL --first NUMBER --events NUMBER --seconds NUMBER --in-flight NUMBER`.
fn plan(mut arguments: Parser) -> Result<load::Plan, Fault> {
    let mut plan = load::Plan {
        url: Uri::default(),
        first: 0,
        events: u64::MAX,
        time: Duration::from_secs(5),
        in_flight: 1,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("url") => plan.url = arguments.value()?.parse()?,
            Arg::Long("first") => plan.first = arguments.value()?.parse()?,
            Arg::Long("events") => plan.events = arguments.value()?.parse()?,
            Arg::Long("seconds") => plan.time = Duration::try_from_secs_f64(arguments.value()?.parse()?)?,
            Arg::Long("in-flight") => plan.in_flight = arguments.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(plan)
}
