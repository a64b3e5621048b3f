//! The estate: what is in scope, how it is listed, what protects it, and how much of it is sealed. It is shared by
//! events, the queue, sweeps, `seal`, the report and `doctor`. Nothing in this room writes to Azure.

mod exports;
mod guard;
mod inventory;
mod listing;
mod members;
mod protected;
mod restore_points;
mod rights;
mod survey;

pub use exports::exports;
pub use guard::Guard;
pub use inventory::inventory;
pub use listing::{Listed, Listing, Seen, count, has_time};
pub use members::Members;
pub use protected::Protected;
pub use restore_points::restore_points;
pub use rights::READS;
pub use survey::{Judged, Notable, Survey, Todo, warn_of_unreadable};
