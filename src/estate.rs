//! The estate: what is in scope, how it is listed, what protects it, and how much of it is sealed. It is shared by
//! events, the queue, sweeps, `seal`, the report and `doctor`. Nothing in this room writes to Azure.

mod guard;
mod inventory;
mod listing;
mod members;
mod protected;
mod rights;
mod survey;

pub use guard::Guard;
pub use inventory::inventory;
pub use listing::{Listed, Listing, has_time};
pub use members::Members;
pub use protected::Protected;
pub use rights::READS;
pub use survey::{Judged, Survey, warn_of_unreadable};

use crate::arm::{self, Failure};

/// Whether Azure refuses only this request, so that other requests can be tried.
pub fn is_refusal(error: &arm::Error) -> bool {
    !matches!(error.failure, Failure::System(_))
}
