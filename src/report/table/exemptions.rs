//! Every exemption, with what is wrong with it.

use std::io::{self, Write};

use super::{
    cells::style,
    place::{Place, Places},
};
use crate::{
    report::{ExemptionRow, Report, Status, grouped},
    text::{Column, Row, Rows, Screen},
};

const COLUMNS: [Column; 7] = [
    Column::whole("EXEMPTION"),
    Column::name("COVERS", 14),
    Column::whole("STATE"),
    Column::whole("UNTIL"),
    Column::number("RESOURCES").ranked(1),
    Column::name("OWNER", 10).ranked(2),
    Column::prose("FINDINGS"),
];
const WIDE: [Column; 2] = [Column::prose("REASON"), Column::id("ID")];

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut columns = COLUMNS.to_vec();
    columns.extend(places.is_wide().then_some(WIDE).into_iter().flatten());
    let rows =
        || -> Rows<'_> { Box::new(report.exemptions().map(|one| one.map(|one| row(one, places.is_wide())))) };
    screen.table(to, &columns, rows)
}

fn row(one: ExemptionRow, is_wide: bool) -> Row {
    let kind = one.number.map_or_else(|| one.kind.to_owned(), |number| format!("{} {number}", one.kind));
    let findings: Vec<_> = one.findings.into_iter().map(|finding| finding.reason).collect();
    let style = style(if findings.is_empty() { Status::Exempt } else { Status::Pending });
    // A tag covers the resource that it is on, by its ID.
    let (covers, id) = match one.covers.strip_prefix('/') {
        Some(_) => (Place::of_id(&one.covers).name, one.covers),
        None => (one.covers, String::new()),
    };
    let mut cells = vec![
        kind,
        covers,
        one.state.into_owned(),
        one.until.unwrap_or_else(|| "no end".to_owned()),
        grouped(one.resources),
        one.owner.unwrap_or_default(),
        findings.join(", "),
    ];
    if is_wide {
        cells.extend([one.reason.unwrap_or_default(), id]);
    }
    Row::new(cells).styled("EXEMPTION", style)
}
