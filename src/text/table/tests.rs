//! That tables fit their terminal, and that nothing in them is lost without a sign.

use proptest::prelude::*;

use super::{super::width::of, *};

const COLUMNS: [Column; 6] = [
    Column::name("NAME", 8),
    Column::whole("KIND").ranked(1),
    Column::name("GROUP", 6),
    Column::whole("STATUS"),
    Column::name("OWNER", 6).ranked(2),
    Column::prose("WHY"),
];

fn row(cells: [&str; 6]) -> Row {
    Row::new(cells.map(str::to_owned))
}

fn printed(columns: &[Column], width: Option<usize>, rows: &[Row]) -> String {
    let mut text = vec![];
    let screen = Screen { width, is_coloured: false };
    screen.table(&mut text, columns, || Box::new(rows.iter().cloned().map(Ok))).unwrap();
    String::from_utf8(text).unwrap()
}

fn rows() -> Vec<Row> {
    vec![
        row([
            "vm-web-prod-0001-osdisk",
            "disk",
            "rg-web-production",
            "unsealed",
            "team-web",
            "an upload into it is in progress, which the seal would break",
        ]),
        row(["数据库磁盘", "snapshot", "rg-数据", "exempt", "👩‍👩‍👧‍👦 家", ""]),
        row(["a\u{202e}b\u{1b}[31m", "disk", "", "sealed", "", "short"]),
    ]
}

#[test]
fn columns_line_up_whatever_the_width_of_their_characters() {
    insta::assert_snapshot!("unlimited", printed(&COLUMNS, None, &rows()));
    insta::assert_snapshot!("at_100", printed(&COLUMNS, Some(100), &rows()));
    insta::assert_snapshot!("at_60", printed(&COLUMNS, Some(60), &rows()));
    insta::assert_snapshot!("at_30", printed(&COLUMNS, Some(30), &rows()));
}

#[test]
fn a_column_without_content_is_the_first_to_go() {
    let rows = [row(["a-name-of-some-length", "disk", "group", "sealed", "", ""])];
    assert!(printed(&COLUMNS, None, &rows).contains("OWNER"));
    let narrow = printed(&COLUMNS, Some(45), &rows);
    assert!(!narrow.contains("OWNER") && !narrow.contains("WHY"), "{narrow}");
    assert!(narrow.contains("a-name-of-some-length"), "what is left needs no shortening: {narrow}");
}

#[test]
fn an_id_is_whole_on_a_line_of_its_own_where_there_is_no_room() {
    let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
    let columns = [Column::name("NAME", 8), Column::prose("WHY"), Column::id("ID")];
    let rows = [Row::new(["d", "it is so because it is so", id].map(str::to_owned))];
    let narrow = printed(&columns, Some(80), &rows);
    assert!(narrow.lines().any(|line| line == format!("    {id}")), "{narrow}");
    let wide = printed(&columns, None, &rows);
    assert!(wide.lines().any(|line| line.starts_with("d ") && line.ends_with(id)), "{wide}");
}

#[test]
fn a_style_is_of_one_cell_and_needs_colours() {
    let red = anstyle::AnsiColor::Red.on_default();
    let rows = [row(["d", "disk", "g", "unsealed", "", ""]).styled("STATUS", red)];
    let mut text = vec![];
    let screen = Screen { width: Some(40), is_coloured: true };
    screen.table(&mut text, &COLUMNS, || Box::new(rows.iter().cloned().map(Ok))).unwrap();
    assert!(String::from_utf8(text).unwrap().contains("\u{1b}[31munsealed\u{1b}[0m"));
    assert!(!printed(&COLUMNS, Some(40), &rows).contains('\u{1b}'));
}

proptest! {
    /// Names of any characters and lengths, on any terminal that has room for the words that are never cut.
    #[test]
    fn no_line_is_wider_than_the_terminal(
        cells in prop::collection::vec(("\\PC{0,60}", "\\PC{0,60}", "[a-z ]{0,120}"), 1..6),
        width in 36_usize..200,
    ) {
        let rows: Vec<_> = cells
            .iter()
            .map(|(name, group, why)| row([name, "snapshot", group, "unsealed", name, why]))
            .collect();
        let text = printed(&COLUMNS, Some(width), &rows);
        for line in text.lines() {
            prop_assert!(of(line) <= width || !line.contains(' '), "{} > {width}: {line:?}", of(line));
        }
        prop_assert_eq!(text.matches("unsealed").count(), rows.len());
    }
}
