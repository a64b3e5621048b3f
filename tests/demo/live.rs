//! Draws the live table on a terminal.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use anstream::ColorChoice;
use diskseal_emulator::local_azure::LocalAzure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{Fault, TIME_LIMIT, act::Stage, table};

/// Time between two drawings of the table.
const FRAME: Duration = Duration::from_millis(80);

/// Maximum width of the output, in columns.
const WIDTH_MAX: u16 = 106;

/// Available columns, without the margin.
pub(crate) fn columns() -> u16 {
    let (_, columns) = console::Term::stdout().size_checked().unwrap_or((0, u16::MAX));
    columns.saturating_sub(2).min(WIDTH_MAX)
}

/// The width of the table on a terminal with colours, else none.
pub(crate) fn width() -> Option<u16> {
    let has_colors = anstream::AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    has_colors.then(columns)
}

/// Shows the table until `play` ends. Returns false after the time limit.
pub(crate) async fn watch(
    azure: &LocalAzure,
    stage: &Arc<Stage>,
    play: impl Future<Output = Result<(), Fault>>,
) -> Result<bool, Fault> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
    bar.set_style(ProgressStyle::with_template("{msg}")?);
    let is_shown = std::io::stdout().is_terminal();
    let draw = async {
        let mut frames = tokio::time::interval(FRAME);
        loop {
            frames.tick().await;
            if is_shown {
                bar.set_message(table::render(azure, stage, width()));
            }
        }
    };
    let result = tokio::select! {
        result = tokio::time::timeout(TIME_LIMIT, play) => result,
        () = draw => Ok(Ok(())),
    };
    bar.finish_and_clear();
    match result {
        Ok(played) => played.map(|()| true),
        Err(_) => Ok(false),
    }
}
