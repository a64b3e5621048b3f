//! What a person should look at before it becomes an exception.

use super::{Finding, Run, Status};
use crate::resource_id::ResourceId;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning<'a> {
    /// The resource that it is about.
    pub id: &'a ResourceId,
    /// A word from a closed set.
    pub reason: &'static str,
    /// What is the matter, for people.
    pub text: String,
}

/// How a warning says that an exemption will end.
pub(super) const EXPIRING: &str = "exemption_expiring";

/// The warnings about one resource.
pub(super) fn of<'a>(finding: &'a Finding, run: &Run) -> Vec<Warning<'a>> {
    use crate::policy::decide::Notice;

    let id = &finding.id;
    let expiring = expires_soon(finding, run).map(|(until, days)| Warning {
        id,
        reason: EXPIRING,
        text: format!("its exemption ends {}, with {until}", in_days(days)),
    });
    let notices = finding.notices.iter().map(|notice| Warning {
        id,
        reason: match notice {
            Notice::ExemptionExpired(_) => "exemption_expired",
            Notice::ExemptionUnreadable => "exemption_unreadable",
            Notice::NoRoomForTags => "no_room_for_tags",
        },
        text: notice.to_string(),
    });
    let protected = protected(finding).map(|text| Warning { id, reason: "protected_machine", text });
    expiring.into_iter().chain(notices).chain(protected).collect()
}

/// What sealing means for the backups of its machine. An exemption is the answer to it.
fn protected(finding: &Finding) -> Option<String> {
    let vault = finding.vault.as_deref()?;
    match finding.status() {
        Status::Exempt => None,
        Status::Sealed => {
            Some(format!("its machine is protected by {vault}, which does not support sealed disks"))
        }
        Status::Unsealed | Status::NotYet => Some(format!(
            "its machine is protected by {vault}, which does not support sealed disks: sweeps leave it unless \
             DISKSEAL_BACKUP_GUARD says otherwise"
        )),
    }
}

/// The last day of the exemption and the days till then, if they are as few as the run warns of.
fn expires_soon(finding: &Finding, run: &Run) -> Option<(time::Date, i64)> {
    let until = finding.until()?;
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
