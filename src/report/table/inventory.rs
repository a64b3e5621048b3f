//! Every resource.

use std::io::{self, Write};

use super::{
    cells::{absent, style},
    place::Places,
};
use crate::{
    report::{Report, Row, note::Word},
    text::{self, Column, Rows, Screen},
};

const COLUMNS: [Column; 6] = [
    Column::whole("STATUS"),
    Column::whole("MODE").ranked(6),
    Column::whole("NETWORK POLICY").ranked(4),
    Column::whole("PUBLIC NETWORK").ranked(3),
    Column::whole("SEALED AT").ranked(7),
    Column::whole("BY").ranked(5),
];
const WIDE: [Column; 2] = [Column::whole("LOCATION"), Column::whole("RING")];

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let rows = || -> Rows<'_> { Box::new(report.resources().map(|one| one.map(|one| row(one, places)))) };
    screen.table(to, &places.columns(&COLUMNS, &WIDE, &[]), rows)
}

fn row(row: Row, places: &Places<'_>) -> text::Row {
    let place = (&row).into();
    let wide = [row.location().to_owned(), row.ring.to_string()];
    let others = [
        row.status.label().to_owned(),
        row.data_access_auth_mode.unwrap_or_else(absent),
        row.network_access_policy.unwrap_or_else(absent),
        row.public_network_access.unwrap_or_else(absent),
        row.sealed_at.unwrap_or_else(absent),
        row.sealed_by.map_or_else(absent, Word::into_owned),
    ];
    places.row(place, others, wide, []).styled("STATUS", style(row.status))
}
