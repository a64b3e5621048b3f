//! Scripted faults: which requests they affect, how often, and how.
//!
//! A request is affected by at most one fault: the first injected one that matches it and is not used up.

use std::time::Duration;

use axum::http::Method;
use serde::{Deserialize, Serialize};

use crate::route::Route;

mod injected;

pub use crate::refusal::Refusal;
pub use injected::Injected;
use injected::Share;
pub(crate) use injected::{Faults, Fired, Release};

/// The kind of a request.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// GET of a disk or snapshot.
    Get,
    /// GET of a list of them.
    List,
    /// PUT of a disk or snapshot.
    Put,
    /// PATCH of a disk or snapshot.
    Patch,
    /// DELETE of a disk or snapshot.
    Delete,
    /// POST of `beginGetAccess` or `endGetAccess`.
    Access,
    /// GET of a resource's tags.
    TagsRead,
    /// PUT, PATCH or DELETE of a resource's tags.
    TagsWrite,
    /// GET of the state or the result of an operation.
    Poll,
    /// GET of a virtual machine, of a scale set's instances, or of a list of virtual machines.
    Machine,
    /// GET of what is below a management group.
    Descendants,
    /// A request for a resource group itself.
    Group,
    /// A query of a Log Analytics workspace.
    Logs,
    /// GET of a page of the activity log.
    Activity,
    /// A query of Resource Graph.
    Query,
    /// GET of a token from the managed-identity endpoint.
    Token,
    /// GET of a blob or of a container's list.
    BlobRead,
    /// PUT of a block, which is no part of a blob yet.
    BlobBlock,
    /// PUT of the list of a blob's blocks.
    BlobCommit,
    /// Everything else.
    Other,
}

impl Kind {
    pub(crate) fn of(method: &Method, route: &Route) -> Self {
        match (route, method) {
            (Route::Resource(_), &Method::GET) => Self::Get,
            (Route::Resource(_), &Method::PUT) => Self::Put,
            (Route::Resource(_), &Method::PATCH) => Self::Patch,
            (Route::Resource(_), &Method::DELETE) => Self::Delete,
            (Route::Access(..), _) => Self::Access,
            (Route::Tags(_) | Route::ScopeTags { .. }, &Method::GET) => Self::TagsRead,
            (Route::Tags(_) | Route::ScopeTags { .. }, _) => Self::TagsWrite,
            (Route::GroupList { .. } | Route::SubscriptionList { .. }, _) => Self::List,
            (Route::Machine(_) | Route::Instances(_) | Route::Machines { .. }, &Method::GET) => Self::Machine,
            (Route::Operation { .. }, _) => Self::Poll,
            (Route::Group { .. }, _) => Self::Group,
            (Route::Logs(_), _) => Self::Logs,
            (Route::ActivityLog(_), _) => Self::Activity,
            (Route::Graph, _) => Self::Query,
            (Route::Descendants(_), _) => Self::Descendants,
            _ => Self::Other,
        }
    }
}

/// How the operation of an affected request ends.
#[derive(Clone, Debug)]
pub(crate) enum Course {
    Fails { code: String, message: String },
    Canceled { code: String, message: String },
    NeverEnds,
}

/// What happens to an affected request.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Refuse(Refusal),
    RefuseAfterApplying(Refusal),
    Text { status: u16, content_type: String, body: String },
    Reset,
    ResetAfterApplying,
    Half,
    Padded(usize),
    Endless,
    Delay,
    Late,
    HoldBefore,
    HoldAfter,
    StaleRead,
    NotYetVisible,
    ByteOrderMark,
    NextPage(NextPage),
    Operation(Course),
}

/// Where a page of a list or of a query leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NextPage {
    /// To itself.
    Itself,
    /// To the same rows again, at an address or with a token that was not there before.
    Another,
}

impl Action {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Refuse(_) => "refuse",
            Self::RefuseAfterApplying(_) => "refuse after applying",
            Self::Text { .. } => "text",
            Self::Reset => "reset",
            Self::ResetAfterApplying => "reset after applying",
            Self::Half => "half",
            Self::Padded(_) => "padded",
            Self::Endless => "endless",
            Self::Delay => "delay",
            Self::Late => "late",
            Self::HoldBefore => "hold before applying",
            Self::HoldAfter => "hold after applying",
            Self::StaleRead => "stale read",
            Self::NotYetVisible => "not yet visible",
            Self::ByteOrderMark => "byte order mark",
            Self::NextPage(_) => "next page",
            Self::Operation(_) => "operation",
        }
    }
}

/// A fault: its effect, the requests it affects, and how often. It is created with its effect, then
/// restricted; without restrictions it affects the next request of any kind, once.
#[derive(Clone, Debug)]
pub struct Fault {
    action: Action,
    /// The kinds of requests that the action applies to; empty means any.
    nature: &'static [Kind],
    kinds: Vec<Kind>,
    method: Option<String>,
    resource: Option<String>,
    subscription: Option<String>,
    times: Option<u32>,
    after: u32,
    delay: Duration,
    is_marked: bool,
    share: Option<Share>,
}

impl Fault {
    fn new(action: Action) -> Self {
        Self {
            action,
            nature: &[],
            kinds: Vec::new(),
            method: None,
            resource: None,
            subscription: None,
            times: Some(1),
            after: 0,
            delay: Duration::ZERO,
            is_marked: false,
            share: None,
        }
    }

    /// The request is refused and changes nothing.
    pub fn refuse(refusal: Refusal) -> Self {
        Self::new(Action::Refuse(refusal))
    }

    /// The request takes effect, and is still refused.
    pub fn refuse_after_applying(refusal: Refusal) -> Self {
        Self::new(Action::RefuseAfterApplying(refusal))
    }

    /// The request changes nothing and is answered with a text of any type, such as a proxy's HTML.
    pub fn text(status: u16, content_type: impl Into<String>, body: impl Into<String>) -> Self {
        Self::new(Action::Text { status, content_type: content_type.into(), body: body.into() })
    }

    /// The request changes nothing and is answered with a page of HTML.
    pub fn html(status: u16) -> Self {
        Self::text(
            status,
            "text/html",
            "<!DOCTYPE html>\r\n<html><body><h2>The service is unavailable.</h2></body></html>",
        )
    }

    /// The connection breaks before the request takes effect.
    pub fn reset() -> Self {
        Self::new(Action::Reset)
    }

    /// The connection breaks after the request has taken effect.
    pub fn reset_after_applying() -> Self {
        Self::new(Action::ResetAfterApplying)
    }

    /// The request takes effect, but only half of the response body arrives.
    pub fn half_an_answer() -> Self {
        Self::new(Action::Half)
    }

    /// The request takes effect, and its response is padded with blanks to this many bytes: the same JSON, but longer
    /// than Azure sends. Resource Graph refuses to answer more than 16,777,216 bytes (`ResponsePayloadTooLarge`); what
    /// stands in front of Azure has no such limit.
    pub fn padded_answer(bytes: usize) -> Self {
        Self::new(Action::Padded(bytes))
    }

    /// The request takes effect, and its response never ends: a chunked body without its last chunk (RFC 9112,
    /// section 7.1), as a broken gateway sends it.
    pub fn endless_answer() -> Self {
        Self::new(Action::Endless)
    }

    /// Delays the response. The request takes effect at the end of the delay.
    pub fn delay(wait: Duration) -> Self {
        Self::new(Action::Delay).delayed(wait)
    }

    /// The request takes effect at once and is answered only after this time, as Azure did with writes of disks
    /// (terraform-provider-azapi issue 864: 45 s).
    pub fn late(wait: Duration) -> Self {
        Self::new(Action::Late).delayed(wait)
    }

    /// The request stops before it takes effect, until it is released or cut off.
    pub fn hold_before_applying() -> Self {
        Self::new(Action::HoldBefore)
    }

    /// The request takes effect and stops before it is answered, until it is released or cut off.
    pub fn hold_after_applying() -> Self {
        Self::new(Action::HoldAfter)
    }

    /// A GET of a resource answers with its state before the last write.
    pub fn stale_read() -> Self {
        Self { nature: &[Kind::Get], ..Self::new(Action::StaleRead) }
    }

    /// A GET of an existing resource answers 404, like a lagging replica. Counts only such GETs.
    pub fn not_yet_visible(gets: u32) -> Self {
        Self { nature: &[Kind::Get], ..Self::new(Action::NotYetVisible) }.times(gets)
    }

    /// The response is as it would be, after a byte order mark (Azure/terraform-provider-azapi #1098,
    /// Azure/azure-rest-api-specs #42472: providers behind Resource Manager have sent it).
    pub fn byte_order_mark() -> Self {
        Self::new(Action::ByteOrderMark).with_byte_order_mark()
    }

    /// The page of a list or of a query leads to itself: `nextLink` or `$skipToken` repeats (Azure/azure-cli #28632: a
    /// list of resources that never ends; microsoftgraph/microsoft-graph-docs #4897: the same link each time).
    pub fn page_leads_to_itself() -> Self {
        Self { nature: PAGED, ..Self::new(Action::NextPage(NextPage::Itself)) }
    }

    /// The page of a list or of a query leads to the same rows again, each time under another address or token, so that
    /// the list never ends (Azure/azure-sdk-for-js #17907: pages with a next page until the caller's time is over).
    pub fn page_never_ends() -> Self {
        Self { nature: PAGED, ..Self::new(Action::NextPage(NextPage::Another)) }
    }

    /// The write is accepted, and its operation ends in `Failed`.
    pub fn operation_fails(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::operation(Course::Fails { code: code.into(), message: message.into() })
    }

    /// The write is accepted, and its operation ends in `Canceled`.
    pub fn operation_canceled() -> Self {
        let message = "The operation was canceled.".to_owned();
        Self::operation(Course::Canceled { code: "OperationCanceled".to_owned(), message })
    }

    /// The write is accepted, and another, invisible operation preempts it.
    pub fn operation_preempted() -> Self {
        let (code, message) = PREEMPTED;
        Self::operation(Course::Canceled { code: code.to_owned(), message: message.to_owned() })
    }

    /// The write is accepted, and its operation stays `InProgress`.
    pub fn operation_never_ends() -> Self {
        Self::operation(Course::NeverEnds)
    }

    fn operation(course: Course) -> Self {
        Self { nature: &[Kind::Put, Kind::Patch, Kind::Delete], ..Self::new(Action::Operation(course)) }
    }

    /// The response begins with a byte order mark, whatever else the fault does to it.
    #[must_use]
    pub fn with_byte_order_mark(mut self) -> Self {
        self.is_marked = true;
        self
    }

    /// Affects requests of this kind; several calls add kinds.
    #[must_use]
    pub fn on(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Affects requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Affects requests about this resource: a name, or a whole id.
    #[must_use]
    pub fn resource(mut self, name_or_id: impl Into<String>) -> Self {
        self.resource = Some(name_or_id.into());
        self
    }

    /// Affects requests about this subscription, or about anything in it.
    #[must_use]
    pub fn subscription(mut self, id: impl Into<String>) -> Self {
        self.subscription = Some(id.into());
        self
    }

    /// Affects this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Affects every request from now on.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, matches: u32) -> Self {
        self.after = matches;
        self
    }

    /// Delays the affected requests.
    #[must_use]
    pub fn delayed(mut self, wait: Duration) -> Self {
        self.delay = wait;
        self
    }

    fn meets(&self, kind: Kind, method: &Method, route: &Route) -> bool {
        let resource = route.resource();
        let right_subscription = self.subscription.as_ref().is_none_or(|wanted| {
            route.subscription().is_some_and(|subscription| subscription.eq_ignore_ascii_case(wanted))
        });
        let right_resource = self.resource.as_ref().is_none_or(|wanted| {
            resource.is_some_and(|id| {
                id.name.eq_ignore_ascii_case(wanted) || id.to_string().eq_ignore_ascii_case(wanted)
            })
        });
        (self.nature.is_empty() || self.nature.contains(&kind))
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
            && right_resource
            && right_subscription
    }
}

/// The kinds of requests that are answered page by page.
const PAGED: &[Kind] =
    &[Kind::List, Kind::Machine, Kind::Descendants, Kind::Query, Kind::Other, Kind::Activity];

/// The error of an operation that a newer one preempted.
pub(crate) const PREEMPTED: (&str, &str) =
    ("OperationPreempted", "Operation execution has been preempted by a more recent operation.");
