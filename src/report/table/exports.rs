//! Who took SAS URLs, and of which resources.

use std::io::{self, Write};

use super::{
    cells::boxed,
    place::{Place, Places},
};
use crate::{
    report::{Report, exports::NOTE, grouped},
    text::{Column, Row, Screen},
};

const CALLERS: [Column; 6] = [
    Column::name("EXPORTS BY", 36),
    Column::whole("CALLER").ranked(1),
    Column::whole("LAST").ranked(2),
    Column::number("EXPORTS"),
    Column::number("RESOURCES"),
    Column::number("WOULD BREAK"),
];
const RESOURCES: [Column; 4] = [
    Column::whole("EFFECT"),
    Column::number("EXPORTS"),
    Column::whole("LAST").ranked(3),
    Column::name("EXPORTS BY", 12).ranked(4),
];

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let Some(exports) = &report.exports else { return Ok(()) };
    write!(to, "\n{}", screen.prose(&format!("{}. {NOTE}", exports.phrase()), 0))?;
    let (by_caller, by_resource) = (exports.callers(), exports.resources());
    let callers = || {
        boxed(by_caller.iter().map(|one| {
            let numbers = [one.exports, one.resources, one.would_break].map(grouped);
            let cells = [one.text.clone(), one.caller.to_owned(), one.last.clone()];
            Row::new(cells.into_iter().chain(numbers))
        }))
    };
    screen.table(to, &CALLERS, callers)?;
    let resources = || {
        boxed(by_resource.iter().map(|one| {
            let cells = [one.effect.to_owned(), grouped(one.exports), one.last.clone(), one.text.clone()];
            places.row(Place::of_id(&one.id), cells, [], [])
        }))
    };
    screen.table(to, &places.columns(&RESOURCES, &[], &[]), resources)
}
