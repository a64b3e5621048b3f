//! Restore points of virtual machines, which the control cannot cover.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// Why they matter, and who may use them ("Azure resource provider operations", Microsoft.Compute; the mode does not
/// exist for a `DiskRestorePoint`).
pub(super) const NOTE: &str = "A restore point holds copies of a machine's disks, and dataAccessAuthMode does not exist for it: whoever may \
     call Microsoft.Compute/restorePointCollections/restorePoints/retrieveSasUris/action gets SAS URLs that need no identity. Owner \
     and Contributor may, and every custom role with that action or with Microsoft.Compute/*. Deny assignments, conditions and eligible assignments of Privileged \
     Identity Management are not taken into account.";

/// How many principals of one role are listed by ID. All are counted.
const IDS_MAX: usize = 100;

/// Who may get SAS URLs of restore points, by role and kind of principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers(BTreeMap<(String, String), BTreeSet<String>>);

impl Callers {
    /// Adds a principal with this role.
    pub fn add(&mut self, role: &str, principal_type: Option<&str>, principal_id: &str) {
        let kind = principal_type.unwrap_or("unknown").to_owned();
        self.0.entry((role.to_owned(), kind)).or_default().insert(principal_id.to_ascii_lowercase());
    }

    fn json(&self) -> Vec<Caller<'_>> {
        let all = self.0.iter().map(|((role, principal_type), ids)| {
            // A person is counted, and not named.
            let listed = if is_listed(principal_type) { IDS_MAX } else { 0 };
            let listed = ids.iter().take(listed).map(String::as_str).collect();
            Caller { role, principal_type, principals: ids.len(), ids: listed }
        });
        all.collect()
    }

    /// A line for people for each role and kind of principal.
    fn lines(&self) -> Vec<String> {
        let line = |one: &Caller<'_>| {
            let ids = if one.ids.is_empty() { String::new() } else { format!(": {}", one.ids.join(", ")) };
            format!("{}, {}: {}{ids}", one.role, one.principal_type, super::counts::grouped(one.principals))
        };
        self.json().iter().map(line).collect()
    }
}

/// The kinds of principals that are listed by their IDs ("Role Assignments - List For Scope", `PrincipalType`).
fn is_listed(kind: &str) -> bool {
    ["ServicePrincipal", "Group"].iter().any(|known| known.eq_ignore_ascii_case(kind))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    role: &'a str,
    principal_type: &'a str,
    principals: usize,
    ids: Vec<&'a str>,
}

/// How many restore points there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePoints {
    /// They were counted.
    Counted {
        /// The number of collections; each is of one machine.
        collections: usize,
        /// The number of restore points in them.
        points: usize,
        /// Who may get SAS URLs of them, as far as the role assignments can be read.
        callers: Callers,
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
    callers: Option<Vec<Caller<'a>>>,
    note: &'static str,
}

impl RestorePoints {
    pub(super) fn json(&self) -> Json<'_> {
        match self {
            Self::Counted { collections, points, callers } => Json {
                collections: Some(*collections),
                restore_points: Some(*points),
                error: None,
                callers: Some(callers.json()),
                note: NOTE,
            },
            Self::Unread(why) => {
                Json { collections: None, restore_points: None, error: Some(why), callers: None, note: NOTE }
            }
        }
    }

    /// Who may get SAS URLs of them, a line for each role and kind of principal.
    pub(super) fn callers(&self) -> Vec<String> {
        match self {
            Self::Counted { callers, .. } => callers.lines(),
            Self::Unread(_) => vec![],
        }
    }

    /// A phrase for people.
    pub(super) fn phrase(&self) -> String {
        match self {
            Self::Counted { collections: 0, points: 0, .. } => "none".to_owned(),
            Self::Counted { collections, points, .. } => {
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
