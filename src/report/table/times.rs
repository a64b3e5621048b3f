//! How long new resources were unsealed, and those that no event has sealed.

use std::io::{self, Write};

use super::{
    cells::{absent, boxed, style},
    place::{Place, Places},
};
use crate::{
    report::{Report, Status, delay::for_people, grouped, stamp::seconds},
    text::{Column, Row, Screen},
};

const NAMED_BY: [Column; 2] = [Column::whole("NAMED BY"), Column::number("SEALED")];
const NO_EVENT: [Column; 4] = [
    Column::whole("NAMED BY"),
    Column::whole("CREATED"),
    Column::whole("SEALED AT").ranked(3),
    Column::number("AFTER"),
];

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let delays = &report.delays;
    let since = seconds(report.run.since);
    let text = format!("Created since {since} and unsealed at first: {}.", delays.phrase());
    write!(to, "\n{}", screen.prose(&text, 0))?;
    let counts = [
        ("event", delays.event),
        ("sweep", delays.sweep),
        ("command", delays.command),
        ("unknown", delays.unknown),
    ];
    let by = || boxed(counts.into_iter().map(|(by, count)| Row::new([by.to_owned(), grouped(count)])));
    screen.table(to, &NAMED_BY, by)?;
    let missed = delays.not_by_event();
    if missed.is_empty() {
        return Ok(());
    }
    write!(to, "\n{}", screen.prose("Not sealed by an event:", 0))?;
    let missed = || {
        boxed(missed.iter().map(|one| {
            let delay = one.seconds.map_or_else(absent, for_people);
            let sealed_at = one.sealed_at.clone().unwrap_or_else(absent);
            let others = [one.sealed_by.to_owned(), one.time_created.clone(), sealed_at, delay];
            places.row(Place::of_id(&one.id), others, [], []).styled("NAMED BY", style(Status::Pending))
        }))
    };
    screen.table(to, &places.columns(&NO_EVENT, &[], &[]), missed)
}
