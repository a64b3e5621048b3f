//! The blast radius: how much one sweep may change.

/// How much one sweep may change. A plan that is larger is not begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most resources.
    pub max_resources: Option<usize>,
    /// The most resources, in percent of all that are in scope.
    pub max_percent: Option<u8>,
}

/// A plan that is larger than a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// By number.
    #[error(
        "{plan} resources would be sealed, and max-resources allows {max}: nothing was written; look at them with \
         --dry-run, then raise the limit"
    )]
    Resources {
        /// How many would be sealed.
        plan: usize,
        /// How many may be.
        max: usize,
    },
    /// By part.
    #[error(
        "{plan} of {all} resources would be sealed, and max-percent allows {max} %: nothing was written; look at \
         them with --dry-run, then raise the limit"
    )]
    Percent {
        /// How many would be sealed.
        plan: usize,
        /// How many are in scope.
        all: usize,
        /// How many percent may be.
        max: u8,
    },
}

impl Limits {
    /// Whether there are any, so that a plan has to be counted first.
    pub fn are_set(&self) -> bool {
        *self != Self::default()
    }

    /// Holds a plan against the limits.
    ///
    /// # Errors
    /// The plan is larger than a limit.
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
