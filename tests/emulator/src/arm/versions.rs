//! API versions: every request names one, and not every version is known.

use crate::{refusal::Refusal, request::Request, route::Route};

/// The Compute provider's versions since the one that introduced `dataAccessAuthMode`.
const DISKS: [&str; 9] = [
    "2021-12-01",
    "2022-03-02",
    "2022-07-02",
    "2023-01-02",
    "2023-04-02",
    "2023-10-02",
    "2024-03-02",
    "2025-01-02",
    "2026-03-02",
];

/// Older versions, which can read the state of operations.
const OPERATIONS: [&str; 4] = ["2020-09-30", "2020-12-01", "2021-04-01", "2021-08-01"];

/// Versions for virtual machines and scale sets.
const MACHINES: [&str; 15] = [
    "2021-03-01",
    "2021-07-01",
    "2021-11-01",
    "2022-03-01",
    "2022-08-01",
    "2022-11-01",
    "2023-03-01",
    "2023-07-01",
    "2023-09-01",
    "2024-03-01",
    "2024-07-01",
    "2024-11-01",
    "2025-04-01",
    "2025-11-01",
    "2026-04-01",
];

/// Versions for Resource Manager's own types: resource groups and tags.
const RESOURCES: [&str; 6] =
    ["2021-04-01", "2022-09-01", "2024-07-01", "2024-11-01", "2025-03-01", "2025-04-01"];

/// Versions of the management groups' provider.
const MANAGEMENT_GROUPS: [&str; 4] = ["2020-02-01", "2020-05-01", "2021-04-01", "2023-04-01"];

/// The version of a request, if its route supports it.
pub(super) fn check(request: &Request, route: &Route, regions: &str) -> Result<String, Refusal> {
    let Some(version) = request.parameter("api-version").filter(|version| !version.is_empty()) else {
        return Err(Refusal::new(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    if !is_date(&version) {
        let message = format!(
            "The api-version '{version}' is invalid. The supported versions are '{}'.",
            DISKS.join(",")
        );
        return Err(Refusal::new(400, "InvalidApiVersionParameter", &message));
    }
    let known = |versions: &[&str]| versions.contains(&version.as_str());
    match route {
        Route::Resource(_) | Route::Access(..) | Route::GroupList { .. } | Route::SubscriptionList { .. }
            if !known(&DISKS) =>
        {
            let kind = request.path.split('/').find(|segment| segment.eq_ignore_ascii_case("snapshots"));
            let message = format!(
                "No registered resource provider found for location '{regions}' and API version '{version}' for type \
                 '{}'. The supported api-versions are '{}'. The supported locations are '{regions}'.",
                kind.map_or("disks", |_| "snapshots"),
                DISKS.join(", ")
            );
            Err(Refusal::new(400, "NoRegisteredProviderFound", &message))
        }
        Route::Machine(_) | Route::Instances(_) | Route::Machines { .. } if !known(&MACHINES) => {
            let message = format!(
                "No registered resource provider found for location '{regions}' and API version '{version}' for type \
                 '{}'. The supported api-versions are '{}'. The supported locations are '{regions}'.",
                route.machine_type().unwrap_or_default().trim_start_matches("Microsoft.Compute/"),
                MACHINES.join(", ")
            );
            Err(Refusal::new(400, "NoRegisteredProviderFound", &message))
        }
        // The tags API returns operation URLs with its own version, which lead here.
        Route::Operation { .. } if !known(&DISKS) && !known(&OPERATIONS) => {
            let message = format!(
                "The resource type 'locations/diskoperations' could not be found in the namespace \
                 'Microsoft.Compute' for api version '{version}'. The supported api-versions are '{},{}'.",
                OPERATIONS.join(","),
                DISKS.join(",")
            );
            Err(Refusal::new(404, "InvalidResourceType", &message))
        }
        Route::Descendants(_) if !known(&MANAGEMENT_GROUPS) => {
            let message = format!("The api-version '{version}' is invalid.");
            Err(Refusal::new(400, "InvalidApiVersionParameter", &message))
        }
        // The only version ("Activity Logs - List").
        Route::ActivityLog(_) if !known(&["2015-04-01"]) => {
            let message =
                format!("The api-version '{version}' is invalid. The supported versions are '2015-04-01'.");
            Err(Refusal::new(400, "InvalidApiVersionParameter", &message))
        }
        Route::Tags(_) | Route::Group { .. } if !known(&RESOURCES) => {
            let message = format!(
                "The api-version '{version}' is invalid. The supported versions are '{}'.",
                RESOURCES.join(",")
            );
            Err(Refusal::new(400, "InvalidApiVersionParameter", &message))
        }
        _ => Ok(version),
    }
}

/// The refusal of a type that no provider here has.
pub(super) fn unknown_type(namespace: &str, type_name: &str) -> Refusal {
    if namespace.eq_ignore_ascii_case("Microsoft.Compute") {
        let message = format!(
            "The resource type '{type_name}' could not be found in the namespace '{namespace}' for api version."
        );
        Refusal::new(404, "InvalidResourceType", &message)
    } else {
        let message = format!("The resource namespace '{namespace}' is invalid.");
        Refusal::new(404, "InvalidResourceNamespace", &message)
    }
}

/// `YYYY-MM-DD`, optionally followed by `-preview`.
fn is_date(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    date.len() == 10
        && date.char_indices().all(|(place, letter)| match place {
            4 | 7 => letter == '-',
            _ => letter.is_ascii_digit(),
        })
}
