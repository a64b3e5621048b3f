//! Warnings: what a person should look at.

use super::{Entry, Remark, Run, Status};

/// The reason of a warning about an exemption that ends soon.
pub(super) const EXPIRING: &str = "exemption_expiring";

/// The warnings about one resource.
pub(super) fn of<'a>(entry: &'a Entry, run: &Run) -> Vec<Remark<'a>> {
    use crate::policy::decide::Notice;

    let id = &entry.id;
    let expiring = expires_soon(entry, run).map(|(until, days)| Remark {
        id,
        reason: EXPIRING,
        text: format!("its exemption ends {}, on {until}", in_days(days)),
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
    let protected = protected(entry).map(|text| Remark { id, reason: "protected_machine", text });
    expiring.into_iter().chain(notices).chain(protected).collect()
}

/// What sealing means for the backups of its machine. An exempt resource needs no warning.
fn protected(entry: &Entry) -> Option<String> {
    let vault = entry.vault.as_deref()?;
    match entry.status() {
        Status::Exempt => None,
        Status::Sealed => {
            Some(format!("its machine is protected by {vault}, which does not support sealed disks"))
        }
        Status::Unsealed | Status::Pending => Some(format!(
            "its machine is protected by {vault}, which does not support sealed disks: sweeps leave it as it is \
             unless DISKSEAL_BACKUP_GUARD is warn or off"
        )),
    }
}

/// The last day of the exemption and the days until then, if it ends soon.
fn expires_soon(entry: &Entry, run: &Run) -> Option<(time::Date, i64)> {
    let until = entry.until()?;
    let days = run.days_left(until);
    (days <= i64::from(run.expiring_within)).then_some((until, days))
}

/// A number of days from today, in words.
pub(super) fn in_days(days: i64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days"),
    }
}
