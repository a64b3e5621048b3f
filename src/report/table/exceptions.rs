//! What is not sealed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    cells::style,
    place::{Place, Places},
};
use crate::{
    report::{Report, Row, Status, grouped},
    text::{self, Column, Rows, Screen},
};

const COLUMNS: [Column; 4] = [
    Column::whole("STATUS"),
    Column::whole("REASON"),
    Column::whole("UNTIL").ranked(4),
    Column::name("OWNER", 8).ranked(3),
];
const WIDE: [Column; 2] = [Column::whole("LOCATION"), Column::whole("RING")];
const WHY: [Column; 1] = [Column::prose("WHY")];
/// Where the resources of a rule are in more than one place.
const SEVERAL: &str = "several";

/// What one rule exempts in one subscription.
struct Covered {
    count: usize,
    kind: String,
    resource_group: String,
    owner: String,
    first: Row,
}

impl Covered {
    fn new(first: Row) -> Self {
        let owner = first.owner.clone().unwrap_or_default();
        Self {
            count: 1,
            kind: first.kind.to_string(),
            resource_group: first.resource_group.clone(),
            owner,
            first,
        }
    }

    fn add(&mut self, row: &Row) {
        let owner = row.owner.as_deref().unwrap_or_default();
        self.count += 1;
        for (known, other) in [
            (&mut self.kind, row.kind.as_ref()),
            (&mut self.resource_group, &row.resource_group),
            (&mut self.owner, owner),
        ] {
            if !known.eq_ignore_ascii_case(other) {
                SEVERAL.clone_into(known);
            }
        }
    }

    fn row(&self, places: &Places<'_>) -> text::Row {
        if self.count == 1 {
            return row(&self.first, places);
        }
        let (count, rule) = (grouped(self.count), self.first.rule.as_deref().unwrap_or_default());
        let (name, group) = match self.first.reason.as_ref() {
            "name" => (format!("{count} × {rule}"), self.resource_group.clone()),
            "resource_group" => (format!("{count} resources"), rule.to_owned()),
            _ => (format!("{count} resources"), self.resource_group.clone()),
        };
        let place = Place { name, kind: self.kind.clone(), group, ..Place::from(&self.first) };
        placed(place, &self.first, self.owner.clone(), places)
    }
}

pub(super) fn write(
    report: &Report,
    screen: Screen,
    places: &Places<'_>,
    to: &mut impl Write,
) -> io::Result<()> {
    let groups = if places.is_wide() { BTreeMap::new() } else { groups(report)? };
    let rows = || -> Rows<'_> {
        let is_shown = |row: &Row| row.status != Status::Sealed && (places.is_wide() || row.rule.is_none());
        let alone = report.exceptions().filter(move |row| row.as_ref().map_or(true, is_shown));
        let alone = alone.map(|one| one.map(|one| row(&one, places)));
        Box::new(alone.chain(groups.values().map(|group| Ok(group.row(places)))))
    };
    let why = if places.is_wide() { &WHY[..] } else { &[] };
    screen.table(to, &places.columns(&COLUMNS, &WIDE, why), rows)
}

/// What each rule exempts in each subscription.
fn groups(report: &Report) -> io::Result<BTreeMap<(String, String, String), Covered>> {
    let mut groups: BTreeMap<_, Covered> = BTreeMap::new();
    for row in report.exceptions() {
        let row = row?;
        let Some(rule) = row.rule.clone().filter(|_| row.status == Status::Exempt) else { continue };
        let key = (row.subscription_id.to_ascii_lowercase(), row.reason.to_string(), rule);
        match groups.get_mut(&key) {
            Some(group) => group.add(&row),
            None => drop(groups.insert(key, Covered::new(row))),
        }
    }
    Ok(groups)
}

fn row(row: &Row, places: &Places<'_>) -> text::Row {
    placed(row.into(), row, row.owner.clone().unwrap_or_default(), places)
}

fn placed(place: Place, row: &Row, owner: String, places: &Places<'_>) -> text::Row {
    // The number of an entry is the way to it.
    let number = row.rule.as_deref().and_then(|rule| rule.strip_prefix("DISKSEAL_EXEMPTIONS["));
    let reason = match number {
        Some(number) => format!("{} {}", row.reason, number.trim_end_matches(']')),
        None => row.reason.to_string(),
    };
    let until = row.until.clone().unwrap_or_default();
    let others = [row.status.label().to_owned(), reason, until, owner];
    let wide = [row.location().to_owned(), row.ring.to_string()];
    let row_of_table = if places.is_wide() {
        places.row(place, others, wide, [row.detail.clone()])
    } else {
        places.row(place, others, wide, [])
    };
    row_of_table.styled("STATUS", style(row.status))
}
