//! Where a resource is: its name, kind, group and subscription, as every table shows them.

use super::Detail;
use crate::{
    report::Report,
    text::{Column, Row, Screen},
};

/// A terminal that is not as wide has no room for a column of subscriptions: there they are headings.
const WIDTH_OF_SUBSCRIPTIONS: usize = 110;

const NAME: Column = Column::name("NAME", 12);
const KIND: Column = Column::whole("KIND").ranked(1);
const GROUP: Column = Column::name("GROUP", 8);
const SUBSCRIPTION: Column = Column::name("SUBSCRIPTION", 12);
const ID: Column = Column::id("ID");

/// How a table names the subscription of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscriptions {
    /// Not at all: there is one.
    Unnamed,
    Column,
    Heading,
}

/// The columns of places in a report.
pub(super) struct Places<'a> {
    report: &'a Report,
    is_wide: bool,
    subscriptions: Subscriptions,
}

impl<'a> Places<'a> {
    pub(super) fn new(report: &'a Report, screen: Screen, detail: Detail) -> Self {
        let is_wide = detail == Detail::Wide;
        let subscriptions = match screen.width {
            _ if report.by_subscription.len() < 2 && !is_wide => Subscriptions::Unnamed,
            Some(width) if width < WIDTH_OF_SUBSCRIPTIONS => Subscriptions::Heading,
            _ => Subscriptions::Column,
        };
        Self { report, is_wide, subscriptions }
    }

    pub(super) fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// The columns of a place, then others, then what only the wide form has, with the ID as the last.
    pub(super) fn columns(&self, others: &[Column], wide: &[Column], tail: &[Column]) -> Vec<Column> {
        let mut columns = vec![NAME, KIND, GROUP];
        columns.extend((self.subscriptions == Subscriptions::Column).then_some(SUBSCRIPTION));
        columns.extend(others);
        if self.is_wide {
            columns.extend(wide);
        }
        columns.extend(tail);
        columns.extend(self.is_wide.then_some(ID));
        columns
    }

    /// The row for the columns.
    pub(super) fn row<const O: usize, const W: usize, const T: usize>(
        &self,
        place: Place,
        others: [String; O],
        wide: [String; W],
        tail: [String; T],
    ) -> Row {
        let subscription = self.report.subscription_title(&place.subscription_id);
        let mut cells = vec![place.name, place.kind, place.group];
        cells.extend((self.subscriptions == Subscriptions::Column).then(|| subscription.clone()));
        cells.extend(others);
        if self.is_wide {
            cells.extend(wide);
        }
        cells.extend(tail);
        cells.extend(self.is_wide.then_some(place.id));
        let row = Row::new(cells);
        match self.subscriptions {
            Subscriptions::Heading => row.below(&format!("In {subscription}:")),
            Subscriptions::Unnamed | Subscriptions::Column => row,
        }
    }
}

/// Where a resource is.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) subscription_id: String,
    pub(super) id: String,
}

impl Place {
    /// By its resource ID, which need not be one of a disk or snapshot ("Understand the structure and syntax of
    /// resource IDs").
    pub(super) fn of_id(id: &str) -> Self {
        let after = |name: &str| {
            let mut parts = id.split('/');
            parts.find(|part| part.eq_ignore_ascii_case(name)).and_then(|_| parts.next()).unwrap_or_default()
        };
        let mut last = id.rsplit('/');
        let name = last.next().unwrap_or_default();
        let kind = match last.next().unwrap_or_default() {
            kind if kind.eq_ignore_ascii_case("disks") => "disk",
            kind if kind.eq_ignore_ascii_case("snapshots") => "snapshot",
            kind if kind.eq_ignore_ascii_case("restorePoints") => "restore point",
            kind => kind,
        };
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            group: after("resourceGroups").to_owned(),
            subscription_id: after("subscriptions").to_owned(),
            id: id.to_owned(),
        }
    }
}

impl From<&crate::report::Row> for Place {
    fn from(row: &crate::report::Row) -> Self {
        Self {
            name: row.name.clone(),
            kind: row.kind.to_string(),
            group: row.resource_group.clone(),
            subscription_id: row.subscription_id.clone(),
            id: row.id.clone(),
        }
    }
}
