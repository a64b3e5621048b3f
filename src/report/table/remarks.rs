//! Pending resources and warnings.

use std::io::{self, Write};

use super::{
    cells::style,
    place::{Place, Places},
};
use crate::{
    report::{Remark, Report, Status},
    text::{Column, Row, Rows, Screen},
};

const PENDING: [Column; 1] = [Column::whole("PENDING")];
const WARNING: [Column; 1] = [Column::whole("WARNING")];
const WHY: [Column; 1] = [Column::prose("WHY")];

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let pending =
        || -> Rows<'_> { Box::new(report.pending().map(|one| one.map(|one| row(&one, "PENDING", places)))) };
    screen.table(to, &places.columns(&PENDING, &[], &WHY), pending)?;
    let warnings =
        || -> Rows<'_> { Box::new(report.warnings().map(|one| one.map(|one| row(&one, "WARNING", places)))) };
    screen.table(to, &places.columns(&WARNING, &[], &WHY), warnings)
}

fn row(one: &Remark, title: &'static str, places: &Places<'_>) -> Row {
    let place = Place::of_id(&one.id);
    places.row(place, [one.reason.to_string()], [], [one.text.clone()]).styled(title, style(Status::Pending))
}
