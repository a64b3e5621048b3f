//! Warnings: what a person should look at.

use time::Date;

use super::{Entry, Run, Status, note::Note};
use crate::policy::{
    Defect, Guarded,
    decide::{Change, Decision, Notice},
};

/// The reason of a warning about an exemption that ends soon.
pub(super) const EXPIRING: &str = "exemption_expiring";
/// The reason of a warning about a sealed resource with a valid SAS URL.
pub(super) const LIVE_SAS: &str = "live_sas";

/// The reason of a warning about an exemption whose last day is over.
pub(super) const ENDED: &str = "exemption_expired";
/// The reason of a warning about an exemption tag that does not count.
pub(super) const UNREADABLE: &str = "exemption_unreadable";

/// An exemption that ends within so many days.
pub(super) fn expiring(until: Date, days: i64) -> Note {
    Note { reason: EXPIRING.into(), text: format!("its exemption ends {}, on {until}", in_days(days)) }
}

/// An exemption of the settings that has ended.
pub(super) fn ended(until: Date) -> Note {
    Note { reason: ENDED.into(), text: format!("the exemption ended on {until} and is ignored") }
}

/// What is wrong with an exemption in force.
pub(super) fn of_defect(defect: &Defect) -> Note {
    Note { reason: defect.reason().into(), text: defect.to_string() }
}

/// The warnings about one resource.
pub(super) fn of(entry: &Entry, run: &Run) -> Vec<Note> {
    let expiring = entry.until().and_then(|until| Some(expiring(until, run.ends_soon(until)?)));
    let defects = entry.defects.iter().map(of_defect);
    let notices = entry.notices.iter().map(|notice| Note {
        reason: match notice {
            Notice::ExemptionExpired(_) | Notice::ListedExemptionEnded { .. } => ENDED,
            Notice::ExemptionUnreadable => UNREADABLE,
            Notice::NoRoomForTags => "no_room_for_tags",
        }
        .into(),
        text: notice.to_string(),
    });
    let protected = protected(entry).map(|text| Note { reason: "protected".into(), text });
    let live_sas = entry.has_live_sas().then(|| Note {
        reason: LIVE_SAS.into(),
        text: "a SAS URL to its data is valid; if it is older than the seal, it may give access without Microsoft Entra ID until \
               it expires or is revoked"
            .to_owned(),
    });
    live_sas.into_iter().chain(expiring).chain(defects).chain(notices).chain(protected).collect()
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
    let consequence = match &entry.decision {
        Decision::Protected(Guarded::NetworkOnly(_)) | Decision::Seal(Change { held_back: Some(_), .. }) => {
            ": Diskseal sets its network settings alone unless DISKSEAL_BACKUP_GUARD is warn or off"
        }
        _ => consequence,
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
