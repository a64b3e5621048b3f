//! How the local Azure behaves: everything that differs between regions, days and tests.
//!
//! [`Options::default`] is Azure as it really answers. [`Options::immediate`] is the same Azure with
//! every wait taken out, for tests that are not about waiting.

use std::time::Duration;

use crate::write::DEFAULT_TENANT_ID;

/// How the local Azure behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The tenant that issues tokens.
    pub tenant_id: String,
    /// The subscriptions that exist; empty means every well-formed id.
    pub subscriptions: Vec<String>,
    /// The user-assigned identity, which is asked for by its client id.
    pub identity: ManagedIdentity,
    /// The identity that a request without a client id means. Without one it is answered 400.
    pub system_identity: Option<ManagedIdentity>,
    /// What `X-IDENTITY-HEADER` must carry.
    pub identity_header: String,
    /// How long an issued token is good for.
    pub token_lifetime: Duration,
    /// The audiences that Resource Manager accepts, compared without a trailing slash.
    pub audiences: Vec<String>,
    /// Whether every bearer token will do, for load generators that cannot ask for one.
    pub accept_any_token: bool,
    /// How a write of a disk or snapshot is answered.
    pub operations: OperationStyle,
    /// How a write of tags on a disk or snapshot is answered.
    pub tags: TagsStyle,
    /// How long every answer takes.
    pub latency: Duration,
    /// How many resources one page of a list holds.
    pub page_size: usize,
    /// How many rows one page of Resource Graph holds at most, whatever is asked for: pages end early when
    /// their rows are large ("Work with large data sets").
    pub resource_graph_page_size: usize,
    /// How long it takes until Resource Graph knows of a write.
    pub resource_graph_lag: Duration,
    /// The limits on requests, or none.
    pub throttling: Option<Throttling>,
    /// What becomes of a write that meets another one in progress.
    pub concurrent_writes: ConcurrentWrites,
    /// Whether a disk that a virtual machine holds refuses a new `dataAccessAuthMode` with 409. Nobody
    /// has documented what Azure does.
    pub attached_disks_refuse_the_mode: bool,
    /// Whether each disk that comes with a machine raises a write event of its own. Nobody has documented
    /// what Azure does.
    pub machine_disks_raise_events: bool,
    /// The region that `x-ms-routing-request-id` names.
    pub region: String,
    /// How much of the journal is kept.
    pub journal: Keep,
}

impl Options {
    /// Azure at 0 ms: a write is done when it is answered, with 200 and the whole resource, and nothing
    /// is throttled.
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
            audiences: ["https://management.azure.com", "https://management.core.windows.net"]
                .map(str::to_owned)
                .to_vec(),
            accept_any_token: false,
            operations: OperationStyle::Asynchronous(Asynchronous::default()),
            tags: TagsStyle::BrokenPoll,
            latency: Duration::ZERO,
            page_size: 100,
            resource_graph_page_size: 1_000,
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
    /// The resource that it belongs to: claim `xms_mirid`.
    pub resource_id: String,
}

/// How a write of a disk or snapshot is answered.
#[derive(Clone, Debug)]
pub enum OperationStyle {
    /// 200 with the whole resource.
    Immediate,
    /// 202 with a part of the resource and the URLs of an operation.
    Asynchronous(Asynchronous),
}

/// The course of an asynchronous operation that nothing disturbs.
#[derive(Clone, Debug)]
pub struct Asynchronous {
    /// How long the operation takes. Then the write takes effect, whether or not anybody polls.
    pub duration: Duration,
    /// How many polls say `InProgress` at least, even of an operation that has ended.
    pub in_progress_polls: u32,
    /// `Retry-After` on the 202 of a PUT or PATCH, in seconds.
    pub retry_after_accepted: Option<u32>,
    /// `Retry-After` on a poll that says `InProgress`, in seconds.
    pub retry_after_polling: Option<u32>,
    /// Whether the operation's URLs carry a signature of more than 4 kB, which is checked when they come
    /// back.
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

/// How a write of tags on a disk or snapshot is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsStyle {
    /// 200 with the tags as they are now.
    Merged,
    /// 202 with the URL of an operation that cannot be read: it carries the version of the tags API, which
    /// the Compute provider does not know.
    BrokenPoll,
}

/// What becomes of a write that meets another one of the same resource in progress.
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
    /// Whether the Compute provider's own windows refuse as well.
    pub compute: bool,
}

impl Default for Throttling {
    fn default() -> Self {
        Self {
            reads: Bucket { size: 250, refill_per_second: 25 },
            writes: Bucket { size: 200, refill_per_second: 10 },
            deletes: Bucket { size: 200, refill_per_second: 10 },
            compute: true,
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// How many tokens it holds when it is full.
    pub size: u32,
    /// How many tokens flow in.
    pub refill_per_second: u32,
}

/// How much of the journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    All,
    /// The last so many requests.
    Last(usize),
}
