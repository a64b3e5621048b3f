//! The options of the local Azure: everything that differs between regions, days and tests.
//!
//! [`Options::default`] is Azure with its real behaviour. [`Options::immediate`] is the same Azure without
//! any waits, for tests that are not about waiting.

use std::{collections::BTreeMap, time::Duration};

use crate::write::DEFAULT_TENANT_ID;

/// The options of the local Azure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The tenant that issues tokens.
    pub tenant_id: String,
    /// The subscriptions that exist; empty means every well-formed id.
    pub subscriptions: Vec<String>,
    /// Their names (`displayName` of "Subscriptions - List"), by ID; the others have one of their own.
    pub subscription_names: BTreeMap<String, String>,
    /// The user-assigned identity, selected by its client id.
    pub identity: ManagedIdentity,
    /// The identity for a request without a client id. Without one, the response is 400.
    pub system_identity: Option<ManagedIdentity>,
    /// The required value of `X-IDENTITY-HEADER`.
    pub identity_header: String,
    /// The lifetime of a token.
    pub token_lifetime: Duration,
    /// The form of the identity endpoint's answer.
    pub token_form: TokenForm,
    /// The audiences that Resource Manager accepts, compared without a trailing slash.
    pub audiences: Vec<String>,
    /// Whether every bearer token is valid, for load generators that cannot request one.
    pub accept_any_token: bool,
    /// The response to a write of a disk or snapshot.
    pub operations: OperationStyle,
    /// The response to a write of tags on a disk or snapshot.
    pub tags: TagsStyle,
    /// The latency of every response.
    pub latency: Duration,
    /// The number of resources on one page of a list.
    pub page_size: usize,
    /// The maximum number of rows on one page of Resource Graph: pages end early if their rows are large
    /// ("Work with large data sets").
    pub resource_graph_page_size: usize,
    /// The number of rows above which a page of Resource Graph is refused as `ResponsePayloadTooLarge`. The limit of
    /// Azure is one of bytes (microsoft/ARI #199, Azure/cosmos-explorer PR #1877: 16 MiB).
    pub resource_graph_payload_rows: usize,
    /// The number of generated rows that the table `resources` has in place of what exists here, so that a listing can be
    /// larger than memory; 0 for what exists.
    pub resource_graph_generated: usize,
    /// Delay until Resource Graph shows a write.
    pub resource_graph_lag: Duration,
    /// The limits on requests, or none.
    pub throttling: Option<Throttling>,
    /// What happens to a write that conflicts with another one in progress.
    pub concurrent_writes: ConcurrentWrites,
    /// Whether an attached disk refuses a new `dataAccessAuthMode` with 409. Azure's behaviour is not
    /// documented.
    pub attached_disks_refuse_the_mode: bool,
    /// Whether each disk that is created with a machine raises its own write event. Azure's behaviour is not
    /// documented.
    pub machine_disks_raise_events: bool,
    /// The region in `x-ms-routing-request-id`.
    pub region: String,
    /// How much of the journal is kept.
    pub journal: Keep,
}

impl Options {
    /// Azure at 0 ms: a write has ended when it is answered, with 200 and the whole resource, and there is no
    /// throttling.
    pub fn immediate() -> Self {
        Self {
            operations: OperationStyle::Immediate,
            tags: TagsStyle::Merged,
            throttling: None,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tenant_id: DEFAULT_TENANT_ID.to_owned(),
            subscriptions: Vec::new(),
            subscription_names: BTreeMap::new(),
            identity: ManagedIdentity {
                object_id: "77776666-5555-4444-8333-222211110000".to_owned(),
                client_id: "99990000-aaaa-4bbb-8ccc-ddddeeeeffff".to_owned(),
                resource_id:
                    "/subscriptions/11111111-2222-4333-8444-555555555555/resourcegroups/rg-identity/\
                              providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-seal"
                        .to_owned(),
            },
            system_identity: Some(ManagedIdentity {
                object_id: "66665555-4444-4333-8222-111100009999".to_owned(),
                client_id: "88889999-bbbb-4ccc-8ddd-eeeeffff0000".to_owned(),
                resource_id: "/subscriptions/11111111-2222-4333-8444-555555555555/resourcegroups/rg-app/\
                              providers/Microsoft.Web/sites/func-seal"
                    .to_owned(),
            }),
            identity_header: "5F1C2A7E9B3D4C6A8E0F112233445566".to_owned(),
            token_lifetime: Duration::from_hours(24),
            token_form: TokenForm::Documented,
            audiences: ["https://management.azure.com", "https://management.core.windows.net"]
                .map(str::to_owned)
                .to_vec(),
            accept_any_token: false,
            operations: OperationStyle::Asynchronous(Asynchronous::default()),
            tags: TagsStyle::BrokenPoll,
            latency: Duration::ZERO,
            page_size: 100,
            resource_graph_page_size: 1_000,
            resource_graph_payload_rows: usize::MAX,
            resource_graph_generated: 0,
            resource_graph_lag: Duration::ZERO,
            throttling: Some(Throttling::default()),
            concurrent_writes: ConcurrentWrites::Preempt,
            attached_disks_refuse_the_mode: false,
            machine_disks_raise_events: false,
            region: "WESTEUROPE".to_owned(),
            journal: Keep::All,
        }
    }
}

/// A managed identity of the function app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedIdentity {
    /// The object id of its service principal: claim `oid`.
    pub object_id: String,
    /// Its client id: claim `appid`.
    pub client_id: String,
    /// Its resource: claim `xms_mirid`.
    pub resource_id: String,
}

/// The form of the answer with a token, which differs between platforms and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// As in "How to use managed identities for App Service and Azure Functions": `expires_on` is text.
    Documented,
    /// `expires_on` is a number (Azure/azure-sdk-for-rust #419, Azure/azure-cli #20219).
    Number,
    /// `expires_on` is text with a fraction (Azure/azure-sdk-for-python #19641).
    Fraction,
    /// `expires_on` is a date: `11/26/2026 17:05:00 +00:00` (Azure/azure-sdk-for-net #12869).
    Date,
    /// `expires_on` is a date with a 12-hour clock: `11/26/2026 5:05:00 PM +00:00` (Azure/azure-sdk-for-python #9393).
    TwelveHourDate,
    /// There is no `expires_on`, only `expires_in`, as in Entra ID's answer, and as text.
    ExpiresIn,
    /// Neither `resource` nor `token_type` (Azure/azure-sdk-for-rust #2460).
    Bare,
    /// A byte order mark before all (juju/juju #6835).
    ByteOrderMark,
    /// `expires_on` an hour ago: what a client sees whose clock is ahead by more than the token's life.
    Expired,
    /// An answer without an end.
    Endless,
}

/// The response to a write of a disk or snapshot.
#[derive(Clone, Debug)]
pub enum OperationStyle {
    /// 200 with the whole resource.
    Immediate,
    /// 202 with a part of the resource and the URLs of an operation.
    Asynchronous(Asynchronous),
}

/// The course of an undisturbed asynchronous operation.
#[derive(Clone, Debug)]
pub struct Asynchronous {
    /// The duration of the operation. Then the write takes effect, with or without polls.
    pub duration: Duration,
    /// The minimum number of polls that return `InProgress`, even if the operation has ended.
    pub in_progress_polls: u32,
    /// `Retry-After` on the 202 of a PUT or PATCH, in seconds.
    pub retry_after_accepted: Option<u32>,
    /// `Retry-After` on a poll that returns `InProgress`, in seconds.
    pub retry_after_polling: Option<u32>,
    /// Whether the operation's URLs have a signature of more than 4 kB, which is checked on each poll.
    pub signed_urls: bool,
}

impl Default for Asynchronous {
    fn default() -> Self {
        Self {
            duration: Duration::from_millis(100),
            in_progress_polls: 1,
            retry_after_accepted: Some(2),
            retry_after_polling: Some(10),
            signed_urls: true,
        }
    }
}

/// The response to a write of tags on a disk or snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsStyle {
    /// 200 with the current tags.
    Merged,
    /// 202 with the URL of an operation that cannot be read: it has the version of the tags API, which the
    /// Compute provider does not support.
    BrokenPoll,
}

/// What happens to a write that conflicts with another one of the same resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConcurrentWrites {
    /// The older one ends in `OperationPreempted`, without effect.
    Preempt,
    /// The newer one is refused with 409 `Conflict`.
    Conflict,
    /// Both take effect, in the order in which their operations end.
    Serialize,
}

/// The limits on requests: a bucket for each class of Resource Manager's, per subscription and principal, and
/// the Compute provider's windows.
#[derive(Clone, Debug)]
pub struct Throttling {
    /// GET.
    pub reads: Bucket,
    /// PUT, PATCH and POST.
    pub writes: Bucket,
    /// DELETE.
    pub deletes: Bucket,
    /// Whether the Compute provider's windows refuse as well.
    pub compute: bool,
    /// Whether answers name what is left (`x-ms-ratelimit-remaining-subscription-writes` and its like). Clouds other
    /// than the public one have other models ("Understand how Azure Resource Manager throttles requests"), and
    /// answers of providers come without ("Troubleshoot Compute throttling errors").
    pub names_quota: bool,
    /// How long an empty bucket refuses everything: requests before the time in `Retry-After` are refused and do not
    /// help (same document).
    pub closed: Duration,
    /// Whether a 429 names that time. Some do not: terraform-provider-azurerm issue 19146, azure-sdk-for-net issue
    /// 13554.
    pub names_retry_after: bool,
}

impl Default for Throttling {
    fn default() -> Self {
        Self {
            reads: Bucket { size: 250, refill_per_second: 25 },
            writes: Bucket { size: 200, refill_per_second: 10 },
            deletes: Bucket { size: 200, refill_per_second: 10 },
            compute: true,
            names_quota: true,
            closed: Duration::from_secs(1),
            names_retry_after: true,
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The capacity.
    pub size: u32,
    /// The refill rate.
    pub refill_per_second: u32,
}

/// How much of the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    All,
    /// The last requests, up to this number.
    Last(usize),
}
