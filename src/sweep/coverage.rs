//! Metrics on how much of the scope is sealed. A listing holds only unsealed resources, so another query counts all;
//! it is sent only if metrics are exported.

use tracing::warn;

use crate::{
    azure::Terms,
    enforce::Context,
    estate::{Listing, Survey},
    report::Counts,
    telemetry::metrics::{self, Swept},
};

/// The number of resources in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// This number, sealed or not.
    Counted(usize),
    /// The number in the listing, which was read from the exact lists.
    Listed,
    /// Not queried, or the query failed.
    Unknown,
}

/// Counts the resources in scope. If the total cannot be read, the sweep continues without it.
pub(super) async fn total(ctx: &Context, listing: &Listing, terms: Terms) -> Total {
    if !metrics::are_exported() {
        return Total::Unknown;
    }
    counted(ctx, listing, terms).await
}

/// The same for a command, which shows the number itself.
pub(super) async fn counted(ctx: &Context, listing: &Listing, terms: Terms) -> Total {
    match listing.in_scope(&ctx.arm, terms).await {
        Ok(in_scope) => in_scope.map_or(Total::Listed, Total::Counted),
        Err(error) => {
            warn!("the number of resources in scope cannot be read: {error}");
            Total::Unknown
        }
    }
}

/// Records the coverage that a sweep found.
pub(super) fn export(survey: &Survey, total: Total) {
    // With a part of unknown size missing, a share would look better than it is.
    if total != Total::Unknown && survey.gaps.is_empty() {
        metrics::swept(&swept(survey, total));
    }
}

/// Resources that are not in the listing are sealed.
fn swept(survey: &Survey, total: Total) -> Swept {
    let &Survey {
        counts: Counts { sealed: listed, exempt, pending, unsealed },
        protected,
        unreadable,
        expiring,
        unread,
        ..
    } = survey;
    let rest = unsealed + exempt + pending + protected + unreadable + unread;
    let sealed = match total {
        Total::Counted(all) => all.saturating_sub(rest),
        Total::Listed | Total::Unknown => listed,
    } as u64;
    Swept {
        states: [
            ("sealed", sealed),
            ("unsealed", unsealed as u64),
            ("exempt", exempt as u64),
            ("pending", pending as u64),
            ("protected", protected as u64),
            ("unreadable", unreadable as u64),
            ("unread", unread as u64),
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
        // One of the candidates is sealed: the name of its tag differs in case alone.
        let counts = Counts { unsealed: 3, sealed: 1, exempt: 2, pending: 1 };
        let survey = Survey { counts, unread: 0, ..Survey::default() };
        let count = |total, state| {
            let states = swept(&survey, total).states;
            states.iter().find(|(name, _)| *name == state).unwrap().1
        };
        assert_eq!(count(Total::Counted(10), "sealed"), 4);
        assert_eq!(count(Total::Counted(10), "unsealed"), 3);
        assert_eq!(count(Total::Listed, "sealed"), 1);
        assert_eq!(count(Total::Counted(2), "sealed"), 0, "the table has changed between the queries");
        let survey = Survey { unread: 2, ..survey.clone() };
        let states = swept(&survey, Total::Counted(10)).states;
        assert_eq!(states.map(|(_, count)| count).iter().sum::<u64>(), 10);
        assert!(states.contains(&("unread", 2)) && states.contains(&("sealed", 2)), "{states:?}");
    }
}
