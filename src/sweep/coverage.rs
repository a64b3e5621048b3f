//! How much of all in scope is sealed, for metrics. A listing holds what is not sealed, so that one more query
//! tells how much there is; where nobody looks at metrics, it is not asked.

use tracing::warn;

use super::{Listing, Survey};
use crate::{
    azure::Terms,
    enforce::Context,
    telemetry::metrics::{self, Swept},
};

/// How much is in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// So much, sealed or not.
    Counted(usize),
    /// What the listing names is all: the exact lists.
    Listed,
    /// Nobody wants to know, or it cannot be told.
    Unknown,
}

/// Counts what is in scope. A sweep is not held up by a total that cannot be had.
pub(super) async fn total(ctx: &Context, listing: &Listing, terms: Terms) -> Total {
    if !metrics::are_exported() {
        return Total::Unknown;
    }
    match listing.in_scope(ctx, terms).await {
        Ok(in_scope) => in_scope.map_or(Total::Listed, Total::Counted),
        Err(error) => {
            warn!("how much is in scope cannot be told: {error}");
            Total::Unknown
        }
    }
}

/// Tells what a sweep saw.
pub(super) fn tell(survey: Survey, total: Total) {
    if total != Total::Unknown {
        metrics::swept(&swept(survey, total));
    }
}

/// All that a listing does not name is sealed.
fn swept(survey: Survey, total: Total) -> Swept {
    let Survey { unsealed, compliant, exempt, not_yet, protected, unreadable, expiring } = survey;
    let open = unsealed + exempt + not_yet + protected + unreadable;
    let sealed = match total {
        Total::Counted(all) => all.saturating_sub(open),
        Total::Listed | Total::Unknown => compliant,
    } as u64;
    Swept {
        states: [
            ("sealed", sealed),
            ("unsealed", unsealed as u64),
            ("exempt", exempt as u64),
            ("not_yet", not_yet as u64),
            ("protected", protected as u64),
            ("unreadable", unreadable as u64),
        ],
        sealed,
        expiring: expiring as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_sealed() {
        // One of the candidates was none: its tag differs in case alone.
        let survey = Survey { unsealed: 3, compliant: 1, exempt: 2, not_yet: 1, ..Survey::default() };
        let count = |total, state| {
            let states = swept(survey, total).states;
            states.iter().find(|(name, _)| *name == state).unwrap().1
        };
        assert_eq!(count(Total::Counted(10), "sealed"), 4);
        assert_eq!(count(Total::Counted(10), "unsealed"), 3);
        assert_eq!(count(Total::Listed, "sealed"), 1);
        assert_eq!(count(Total::Counted(2), "sealed"), 0, "the table has changed between the queries");
    }
}
