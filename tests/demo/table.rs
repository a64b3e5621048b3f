//! The table of what happened to each resource.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, presets,
};
use diskseal_emulator::local_azure::LocalAzure;

use crate::act::Stage;
use crate::chronicle::{calls, last_word, queued_for};
use crate::scene::{End, SCENES, Scene};
use crate::verdict;

const HEADINGS: [&str; 7] =
    ["name", "kind", "created by", "what is special", "outcome", "sealed in", "calls"];

/// The width of all columns. On a narrower terminal, the kind and who created it are left out.
const WIDTH: u16 = 98;

/// How a resource stands, as the table shows it.
struct Standing {
    text: String,
    color: Color,
}

/// The table as it is now; `width` limits it, and none means no terminal and so no colours.
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
    let Standing { text, color } = standing(azure, stage, scene);
    let time = match (scene.end, story.created) {
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
        Cell::new(scene.special),
        // Wide enough for all that it may say, so that the table stands still.
        Cell::new(format!("{text:<17}")).fg(color),
        Cell::new(time),
        Cell::new(calls),
    ]
}

fn standing(azure: &LocalAzure, stage: &Stage, scene: &Scene) -> Standing {
    let id = scene.id();
    let story = stage.chronicle.of(&id);
    let says = |text: &str, color| Standing { text: text.to_owned(), color };
    let invocations = azure.host.invocations();
    let word = last_word(&invocations, &id);
    let is_done = match scene.end {
        End::Sealed => story.sealed.is_some(),
        End::Gone | End::AsCreatedSealed | End::AsCreatedUnsealed => word.is_some(),
    };
    if is_done && verdict::fault(azure, stage, scene).is_none() {
        return match (scene.end, word.as_deref()) {
            (End::Sealed, _) if story.creations > 1 => says("✓ sealed again", Color::Green),
            (End::Sealed, _) if queued_for(&invocations, &id).is_some() => {
                says("✓ sealed by queue", Color::Green)
            }
            (End::Sealed, _) if !scene.needs_mode() => says("✓ tagged", Color::Green),
            (End::Sealed, _) => says("✓ sealed", Color::Green),
            (_, Some("already_sealed")) => says("✓ sealed already", Color::Green),
            (_, word) => says(&format!("✓ {}", word.unwrap_or_default()), Color::Green),
        };
    }
    if story.created.is_none() {
        return says("·", Color::DarkGrey);
    }
    match (queued_for(&invocations, &id), word) {
        (Some(reason), _) => says(&format!("… {reason}"), Color::Yellow),
        (None, Some(word)) if word == "would_seal" => says("would seal", Color::Yellow),
        _ => says("… unsealed", Color::Yellow),
    }
}
