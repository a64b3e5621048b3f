//! Warnings: what a person should look at.

use super::{Entry, Remark, Run, Status};
use crate::policy::decide::Notice;

/// The reason of a warning about an exemption that ends soon.
pub(super) const EXPIRING: &str = "exemption_expiring";

/// The warnings about one resource.
pub(super) fn of<'a>(entry: &'a Entry, run: &Run) -> impl Iterator<Item = Remark<'a>> {
    let id = &entry.id;
    let expiring = entry.until().and_then(|until| {
        let text = format!("its exemption ends {}, on {until}", in_days(run.ends_soon(until)?));
        Some(Remark { id, reason: EXPIRING, text })
    });
    let notices = entry.notices.iter().map(|notice| Remark {
        id,
        reason: match notice {
            Notice::ExemptionExpired(_) => "exemption_expired",
            Notice::ExemptionUnreadable => "exemption_unreadable",
            Notice::NoRoomForTags => "no_room_for_tags",
        },
        text: notice.to_string(),
    });
    let protected = protected(entry).map(|text| Remark { id, reason: "protected", text });
    expiring.into_iter().chain(notices).chain(protected)
}

/// What sealing means for its backups. An exempt resource needs no warning.
fn protected(entry: &Entry) -> Option<String> {
    let vault = entry.vault.as_deref()?;
    let consequence = match entry.status() {
        Status::Exempt => return None,
        Status::Sealed => "",
        Status::Unsealed | Status::Pending => {
            ": Diskseal leaves it as it is unless DISKSEAL_BACKUP_GUARD is warn or off"
        }
    };
    Some(format!("{vault} protects it, and does not support sealed disks{consequence}"))
}

/// A number of days from today, in words.
pub(super) fn in_days(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days"),
    }
}
