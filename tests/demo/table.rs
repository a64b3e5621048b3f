//! The table of what happened to each resource.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, presets,
};
use diskseal_emulator::local_azure::LocalAzure;

use crate::{
    act::Stage,
    chronicle::{calls, last_word, queued_for},
    scene::{End, SCENES, Scene},
    verdict,
};

const HEADINGS: [&str; 7] = ["name", "kind", "created by", "scenario", "outcome", "sealed in", "calls"];

/// The width of all columns. A narrower terminal shows no columns kind and created by.
const WIDTH: u16 = 98;

/// The state of a resource, as the table shows it.
struct State {
    text: String,
    color: Color,
}

/// The current table. `width` limits it; none means no terminal, so no colours.
pub(crate) fn render(azure: &LocalAzure, stage: &Stage, width: Option<u16>) -> String {
    let mut table = Table::new();
    // Padding separates the columns.
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─')));
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width).enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for scene in &SCENES {
        table.add_row(row(azure, stage, scene));
    }
    if width.is_some_and(|width| width < WIDTH) {
        table.column_iter_mut().skip(1).take(2).for_each(|column| {
            column.set_constraint(ColumnConstraint::Hidden);
        });
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == 6 { 0 } else { 2 }));
        if index > 4 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("  {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

fn row(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> Vec<Cell> {
    let id = scene.id();
    let story = stage.chronicle.of(&id);
    let State { text, color } = state(azure, stage, scene);
    let time = match (scene.end(stage.mode), story.created) {
        (End::Sealed, Some(created)) => {
            let until = story.sealed.unwrap_or_else(|| azure.emulator.clock().now());
            format!("{:.1} s", (until - created).as_seconds_f64())
        }
        _ => String::new(),
    };
    let calls = if story.creations == 0 { String::new() } else { calls(azure, scene).to_string() };
    vec![
        Cell::new(scene.name),
        Cell::new(if scene.is_snapshot { "snapshot" } else { "disk" }),
        Cell::new(scene.by.name()),
        Cell::new(scene.scenario(stage.mode)),
        // As wide as the longest state, so that the columns do not move.
        Cell::new(format!("{text:<17}")).fg(color),
        Cell::new(time),
        Cell::new(calls),
    ]
}

fn state(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> State {
    let id = scene.id();
    let story = stage.chronicle.of(&id);
    let shown = |text: &str, color| State { text: text.to_owned(), color };
    let invocations = azure.host.invocations();
    let word = last_word(&invocations, &id);
    let end = scene.end(stage.mode);
    let is_done = match end {
        End::Sealed => story.sealed.is_some(),
        End::WouldSeal => word.as_deref() == Some("would_seal"),
        End::Gone | End::AsCreatedSealed | End::AsCreatedUnsealed => word.is_some(),
    };
    if is_done && verdict::fault(azure, stage, scene).is_none() {
        return match (end, word.as_deref()) {
            (End::Sealed, _) if story.creations > 1 => shown("✓ sealed again", Color::DarkGreen),
            (End::Sealed, _) if queued_for(&invocations, &id).is_some() => {
                shown("✓ sealed by queue", Color::DarkGreen)
            }
            (End::Sealed, _) if !scene.needs_mode() => shown("✓ tagged", Color::DarkGreen),
            (End::Sealed, _) => shown("✓ sealed", Color::DarkGreen),
            (End::WouldSeal, _) => shown("✓ would seal", Color::DarkGreen),
            (_, Some("already_sealed")) => shown("✓ already sealed", Color::DarkGreen),
            (_, word) => shown(&format!("✓ {}", word.unwrap_or_default()), Color::DarkGreen),
        };
    }
    if story.created.is_none() {
        return shown("·", Color::DarkGrey);
    }
    match queued_for(&invocations, &id) {
        Some(reason) => shown(&format!("… {reason}"), Color::DarkYellow),
        None => shown("… unsealed", Color::DarkYellow),
    }
}
