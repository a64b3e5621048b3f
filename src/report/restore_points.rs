//! Restore points of virtual machines, which the control cannot cover.

use serde::Serialize;

/// Why they matter, and who may use them ("Azure resource provider operations", Microsoft.Compute; the mode does not
/// exist for a `DiskRestorePoint`).
pub(super) const NOTE: &str = "A restore point holds copies of a machine's disks, and dataAccessAuthMode does not exist for it: whoever may \
     call Microsoft.Compute/restorePointCollections/restorePoints/retrieveSasUris/action gets SAS URLs that need no identity. Owner \
     and Contributor may, and every custom role with that action or with Microsoft.Compute/*.";

/// How many restore points there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePoints {
    /// They were counted.
    Counted {
        /// The number of collections; each is of one machine.
        collections: usize,
        /// The number of restore points in them.
        points: usize,
    },
    /// They could not be counted, and why.
    Unread(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Json<'a> {
    collections: Option<usize>,
    restore_points: Option<usize>,
    error: Option<&'a str>,
    note: &'static str,
}

impl RestorePoints {
    pub(super) fn json(&self) -> Json<'_> {
        let (collections, restore_points, error) = match self {
            Self::Counted { collections, points } => (Some(*collections), Some(*points), None),
            Self::Unread(why) => (None, None, Some(why.as_str())),
        };
        Json { collections, restore_points, error, note: NOTE }
    }

    /// A phrase for people.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::Counted { collections: 0, points: 0 } => "none".to_owned(),
            Self::Counted { collections, points } => {
                format!(
                    "{} in {} collections",
                    super::counts::grouped(*points),
                    super::counts::grouped(*collections)
                )
            }
            Self::Unread(why) => format!("not read: {why}"),
        }
    }
}
