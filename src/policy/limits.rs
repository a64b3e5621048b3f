//! The blast radius: how much one sweep may change.

/// How much one sweep may change. A larger plan is not started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of resources.
    pub max_resources: Option<usize>,
    /// Maximum percentage of all resources in scope.
    pub max_percent: Option<u8>,
}

/// A plan that exceeds a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// The plan exceeds `max_resources`.
    #[error(
        "{plan} resources would be sealed, and max-resources allows {max}: nothing was written; review them with \
         --dry-run, then raise the limit"
    )]
    Resources {
        /// Number of resources that would be sealed.
        plan: usize,
        /// Maximum number.
        max: usize,
    },
    /// The plan exceeds `max_percent`.
    #[error(
        "{plan} of {all} resources would be sealed, and max-percent allows {max} %: nothing was written; review \
         them with --dry-run, then raise the limit"
    )]
    Percent {
        /// Number of resources that would be sealed.
        plan: usize,
        /// Number of resources in scope.
        all: usize,
        /// Maximum percentage.
        max: u8,
    },
}

impl Limits {
    /// Whether a limit is set, so that a plan must be counted first.
    pub fn are_set(&self) -> bool {
        *self != Self::default()
    }

    /// Compares a plan with the limits.
    ///
    /// # Errors
    /// The plan exceeds a limit.
    pub fn admit(&self, plan: usize, all: usize) -> Result<(), Exceeded> {
        match (self.max_resources, self.max_percent) {
            (Some(max), _) if plan > max => Err(Exceeded::Resources { plan, max }),
            (_, Some(max)) if plan.saturating_mul(100) > all.saturating_mul(usize::from(max)) => {
                Err(Exceeded::Percent { plan, all, max })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_may_reach_a_limit_and_not_pass_it() {
        let limits = Limits { max_resources: Some(10), max_percent: Some(25) };
        for (plan, all, expected) in [
            (0, 0, Ok(())),
            (10, 40, Ok(())),
            (11, 1_000, Err(Exceeded::Resources { plan: 11, max: 10 })),
            (10, 39, Err(Exceeded::Percent { plan: 10, all: 39, max: 25 })),
            (1, 0, Err(Exceeded::Percent { plan: 1, all: 0, max: 25 })),
        ] {
            assert_eq!(limits.admit(plan, all), expected, "{plan} of {all}");
        }
        assert_eq!(Limits::default().admit(usize::MAX, 0), Ok(()));
        assert!(limits.are_set() && !Limits::default().are_set());
    }
}
