//! How much of the scope is sealed, for metrics. A listing holds what is not sealed, so one more query returns how
//! much there is; it is sent only if metrics are exported.

use tracing::warn;

use crate::{
    azure::Terms,
    enforce::Context,
    estate::{Listing, Survey},
    report::Counts,
    telemetry::metrics::{self, Swept},
};

/// How much is in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// This many, sealed or not.
    Counted(usize),
    /// As much as the listing, which was that of the exact lists.
    Listed,
    /// Not asked, or not answered.
    Unknown,
}

/// Counts what is in scope. A sweep goes on without a total that cannot be read.
pub(super) async fn total(ctx: &Context, listing: &Listing, terms: Terms) -> Total {
    if !metrics::are_exported() {
        return Total::Unknown;
    }
    match listing.in_scope(&ctx.arm, terms).await {
        Ok(in_scope) => in_scope.map_or(Total::Listed, Total::Counted),
        Err(error) => {
            warn!("the number of resources in scope cannot be read: {error}");
            Total::Unknown
        }
    }
}

/// Records what a sweep listed.
pub(super) fn export(survey: Survey, total: Total) {
    if total != Total::Unknown {
        metrics::swept(&swept(survey, total));
    }
}

/// What a listing does not name is sealed.
fn swept(survey: Survey, total: Total) -> Swept {
    let Survey {
        counts: Counts { sealed: listed, exempt, pending, unsealed },
        protected,
        unreadable,
        expiring,
        ..
    } = survey;
    let rest = unsealed + exempt + pending + protected + unreadable;
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
        let survey = Survey { counts, ..Survey::default() };
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
