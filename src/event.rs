//! Event Grid events and CloudEvents to one `ResourceWritten`.
//!
//! An event only means *look at this resource now*, or *look at the disks of this machine now*: Compute may
//! create a machine's disks without an event. Only the resource's ID is used, and only after it was parsed; ARM
//! is then asked for the rest. Every other member is optional and untrusted. The caller's claims are personal
//! data: only the object ID leaves this file, in a type that cannot be printed.
//!
//! Sources: "Azure subscription as an Event Grid source", "Azure Resource Notifications - Resources
//! events", CloudEvents 1.0.

use std::fmt;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    json::{Kept, Node},
    resource_id::{MachineId, ParseIdError, ResourceId, ResourceType},
    text::{cut, escaped},
};

/// The operations whose events lead to a look: first those on disks and snapshots, then those on machines.
pub const OPERATIONS: [&str; 5] = [
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachineScaleSets/write",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write",
];

/// The operations that grant access to the data of a disk or snapshot by a SAS URL.
pub const GRANTS: [&str; 2] =
    ["Microsoft.Compute/disks/beginGetAccess/action", "Microsoft.Compute/snapshots/beginGetAccess/action"];

/// The event type of an action that ARM finished.
pub const RESOURCE_ACTION_SUCCESS: &str = "Microsoft.Resources.ResourceActionSuccess";
/// The event type of a write that ARM finished.
pub const RESOURCE_WRITE_SUCCESS: &str = "Microsoft.Resources.ResourceWriteSuccess";
/// The same from Azure Resource Notifications, which also covers writes that Azure made by itself.
const RESOURCE_CREATED_OR_UPDATED: &str = "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated";

/// The longest correlation ID; a GUID has 36 characters.
const CORRELATION_ID_LEN_MAX: usize = 64;

/// The claim with the object ID of the caller.
const OBJECT_ID_CLAIM: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

/// The members of an event that are read, in either schema. What else is in it, such as the names in the caller's claims,
/// is not even kept.
pub const MEMBERS: Kept = Kept::Members(&[
    ("id", Kept::Whole),
    ("subject", Kept::Whole),
    ("topic", Kept::Whole),
    ("eventType", Kept::Whole),
    ("eventTime", Kept::Whole),
    ("specversion", Kept::Whole),
    ("source", Kept::Whole),
    ("type", Kept::Whole),
    ("time", Kept::Whole),
    ("traceparent", Kept::Whole),
    ("tracestate", Kept::Whole),
    (
        "data",
        Kept::Members(&[
            ("resourceUri", Kept::Whole),
            ("resourceInfo", Kept::Members(&[("id", Kept::Whole)])),
            ("operationName", Kept::Whole),
            ("correlationId", Kept::Whole),
            ("claims", Kept::Members(&[(OBJECT_ID_CLAIM, Kept::Whole), ("oid", Kept::Whole)])),
        ]),
    ),
]);

/// What an event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A write of the resource.
    Write,
    /// Access to its data was granted by a SAS URL ("Disks - Grant Access").
    Grant,
}

/// A write of a resource, or a grant of access to it, which leads to a look at it.
#[derive(Debug)]
pub struct ResourceWritten {
    /// What the event reports.
    pub cause: Cause,
    /// What was written.
    pub subject: Subject,
    /// The event's own ID, which shows duplicates.
    pub event_id: Option<String>,
    /// When the write happened, by Azure's clock.
    pub time: Option<OffsetDateTime>,
    /// The correlation ID of the write, which names it in the activity log.
    pub correlation_id: Option<String>,
    /// The identity that wrote.
    pub caller: Option<ObjectId>,
    /// The attributes of the event for the trace.
    pub attributes: Attributes,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A disk or snapshot.
    Resource(ResourceId),
    /// A machine, whose disks Compute may have created with it.
    Machine(MachineId),
}

impl Subject {
    /// Disk or snapshot; none for a machine, which is never sealed itself.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::Resource(id) => Some(id.resource_type()),
            Self::Machine(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(id) => fmt::Display::fmt(id, f),
            Self::Machine(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// The attributes of an event that go into the trace (CloudEvents semantic conventions).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `source` of a CloudEvent, `topic` of an Event Grid event.
    pub source: Option<String>,
    /// `type` or `eventType`
    pub event_type: Option<String>,
    /// `specversion`, of a CloudEvent only.
    pub spec_version: Option<String>,
    /// CloudEvents' distributed-tracing extension.
    pub traceparent: Option<String>,
    /// CloudEvents' distributed-tracing extension.
    pub tracestate: Option<String>,
}

/// A Microsoft Entra object ID. It is personal data, so it can be compared but not printed.
#[derive(Clone)]
pub struct ObjectId(String);

impl ObjectId {
    /// An object ID, in upper or lower case.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is this object ID, whatever the case.
    pub fn is(&self, object_id: &str) -> bool {
        self.0.eq_ignore_ascii_case(object_id)
    }
}

impl PartialEq for ObjectId {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for ObjectId {}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectId")
    }
}

words! {
    /// Why an event is ignored. A redelivery would be ignored, too.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Ignored, reason of reasons {
        /// Neither Event Grid's schema nor CloudEvents 1.0.
        #[error("not an event: no eventType and no type")]
        NotAnEvent => "not_an_event",
        /// A CloudEvent of a version other than 1.0.
        #[error("a CloudEvent of an unknown specversion")]
        SpecVersion => "spec_version",
        /// Neither a finished write nor a grant of access: a deletion, a failure, another action, or an event of another
        /// source.
        #[error("not a successful write{0}")]
        EventType(Named) => "event_type",
        /// The event has no resource ID.
        #[error("no resource ID in the event")]
        NoResourceId => "no_resource_id",
        /// A write of another kind of resource.
        #[error("{fault}{0}", fault = ParseIdError::NotADiskOrSnapshot)]
        NotADiskOrSnapshot(Named) => "not_a_disk_or_snapshot",
        /// A resource ID that breaks Azure's naming rules.
        #[error("{0}{1}")]
        InvalidResourceId(String, Named) => "invalid_resource_id",
    }
}

/// The longest name of an ignored resource, in bytes. Azure's IDs of disks have at most 300.
const NAMED_LEN_MAX: usize = 512;

/// The resource that an ignored event names, if it names one. Text from outside, so a line has its beginning alone,
/// without characters that act on a terminal or forge a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(Option<String>);

impl Named {
    fn new(id: &str) -> Self {
        let short = cut(id, NAMED_LEN_MAX);
        let end = if short.len() < id.len() { "…" } else { "" };
        Self(Some(format!("{}{end}", escaped(short))))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|id| write!(f, ": {id}"))
    }
}

impl Ignored {
    /// Whether it is not an event, or not one of a known version.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::NotAnEvent | Self::SpecVersion)
    }
}

/// Reads one event of either schema, which has its [`MEMBERS`] at least, and takes them out of it.
///
/// # Errors
/// The event is to be ignored. This is not a failure: the caller answers it with success.
pub fn parse(mut event: Node) -> Result<ResourceWritten, Ignored> {
    let attributes = attributes(&mut event)?;
    let event_type = attributes.event_type.as_deref().unwrap_or_default();
    let mut data = event.take("data");
    let mut claims = data.take("claims");
    let is_action = event_type.eq_ignore_ascii_case(RESOURCE_ACTION_SUCCESS);
    let is_grant = is_action && text(&mut data, "operationName").is_some_and(|name| is_grant(&name));
    let resource = if is_grant || event_type.eq_ignore_ascii_case(RESOURCE_WRITE_SUCCESS) {
        text(&mut event, "subject").or_else(|| text(&mut data, "resourceUri"))
    } else if event_type.eq_ignore_ascii_case(RESOURCE_CREATED_OR_UPDATED) {
        text(&mut data.take("resourceInfo"), "id").or_else(|| text(&mut event, "subject"))
    } else {
        let id = text(&mut event, "subject").or_else(|| text(&mut data, "resourceUri"));
        return Err(Ignored::EventType(id.map(|id| Named::new(&id)).unwrap_or_default()));
    };
    let time = text(&mut event, "eventTime").or_else(|| text(&mut event, "time"));
    let subject = subject(&resource.ok_or(Ignored::NoResourceId)?)?;
    if is_grant && subject.resource_type().is_none() {
        return Err(Ignored::NotADiskOrSnapshot(Named::new(&subject.to_string())));
    }
    Ok(ResourceWritten {
        cause: if is_grant { Cause::Grant } else { Cause::Write },
        subject,
        event_id: text(&mut event, "id"),
        time: time.and_then(|written| OffsetDateTime::parse(&written, &Rfc3339).ok()),
        correlation_id: text(&mut data, "correlationId").filter(|id| is_correlation_id(id)),
        caller: text(&mut claims, OBJECT_ID_CLAIM).or_else(|| text(&mut claims, "oid")).map(ObjectId::new),
        attributes,
    })
}

fn is_grant(operation: &str) -> bool {
    GRANTS.iter().any(|grant| grant.eq_ignore_ascii_case(operation))
}

fn subject(id: &str) -> Result<Subject, Ignored> {
    let subject = match id.parse().map(Subject::Resource) {
        Err(ParseIdError::NotADiskOrSnapshot) => id.parse().map(Subject::Machine),
        subject => subject,
    };
    subject.map_err(|fault| match fault {
        ParseIdError::NotAMachine => Ignored::NotADiskOrSnapshot(Named::new(id)),
        fault => Ignored::InvalidResourceId(fault.to_string(), Named::new(id)),
    })
}

fn attributes(event: &mut Node) -> Result<Attributes, Ignored> {
    if event.has("specversion") {
        let spec_version = text(event, "specversion").filter(|version| version == "1.0");
        let spec_version = Some(spec_version.ok_or(Ignored::SpecVersion)?);
        return Ok(Attributes {
            source: text(event, "source"),
            event_type: Some(text(event, "type").ok_or(Ignored::NotAnEvent)?),
            spec_version,
            traceparent: text(event, "traceparent"),
            tracestate: text(event, "tracestate"),
        });
    }
    let event_type = Some(text(event, "eventType").ok_or(Ignored::NotAnEvent)?);
    Ok(Attributes { source: text(event, "topic"), event_type, ..Attributes::default() })
}

/// A correlation ID that is safe in a log: Azure's are GUIDs, and nothing else is believed of them but that they are
/// short and hold neither spaces nor control characters.
pub fn is_correlation_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= CORRELATION_ID_LEN_MAX && id.bytes().all(|b| b.is_ascii_graphic())
}

/// A member that is a text and not empty, taken out of its object.
fn text(object: &mut Node, member: &str) -> Option<String> {
    match object.take(member) {
        Node::Whole(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
