//! Event Grid events and CloudEvents to one `ResourceWritten`.
//!
//! An event only says *look at this resource now*, or *look at the disks of this machine now*: those that
//! Compute makes for a machine may raise no event of their own. The resource's ID is the one thing that is
//! believed, and only because it is parsed and then looked up; every other member is optional and
//! untrusted. The caller's claims are personal data: of them, only the object ID leaves this file,
//! in a type that does not print.
//!
//! Sources: "Azure subscription as an Event Grid source", "Azure Resource Notifications - Resources
//! events", CloudEvents 1.0.

use std::fmt;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::resource_id::{MachineId, ParseMachineIdError, ParseResourceIdError, ResourceId, ResourceType};

/// The operations whose events are a reason to look: first those on disks and snapshots, then those on machines.
pub const OPERATIONS: [&str; 5] = [
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/snapshots/write",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachineScaleSets/write",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write",
];

/// A write that ARM finished.
pub const RESOURCE_WRITE_SUCCESS: &str = "Microsoft.Resources.ResourceWriteSuccess";
/// The same from Azure Resource Notifications, which also covers writes that no user asked for.
const RESOURCE_CREATED_OR_UPDATED: &str = "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated";

/// The longest correlation ID; a GUID has 36 characters.
const CORRELATION_ID_LEN_MAX: usize = 64;

/// The claim with the object ID of whoever made the request.
const OBJECT_ID_CLAIM: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";

/// Something was written: a reason to look at it.
#[derive(Debug)]
pub struct ResourceWritten {
    /// What to look at.
    pub subject: Subject,
    /// The event's own ID, by which a duplicate is known.
    pub event_id: Option<String>,
    /// When the write happened, by Azure's clock.
    pub time: Option<OffsetDateTime>,
    /// The correlation ID of the write, which names it in the activity log.
    pub correlation_id: Option<String>,
    /// Who wrote.
    pub caller: Option<ObjectId>,
    /// The attributes of the event that are worth a place in the trace.
    pub attributes: Attributes,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A disk or snapshot.
    Resource(ResourceId),
    /// A machine, whose disks Compute may have made with it.
    Machine(MachineId),
}

impl Subject {
    /// What kind of resource it is, if it is one that carries the seal.
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

/// The attributes of an event that a trace carries (CloudEvents semantic conventions).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `source` of a CloudEvent, `topic` of an Event Grid event.
    pub source: Option<String>,
    /// `type` or `eventType`
    pub event_type: Option<String>,
    /// `specversion`, for a CloudEvent only.
    pub spec_version: Option<String>,
    /// CloudEvents' distributed-tracing extension.
    pub traceparent: Option<String>,
    /// CloudEvents' distributed-tracing extension.
    pub tracestate: Option<String>,
}

/// A Microsoft Entra object ID. Personal data: it can be compared, never printed.
#[derive(Clone)]
pub struct ObjectId(String);

impl ObjectId {
    /// Takes an object ID in any case.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is this object ID, in any case.
    pub fn is(&self, object_id: &str) -> bool {
        self.0.eq_ignore_ascii_case(object_id)
    }
}

impl PartialEq for ObjectId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ObjectId {}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectId")
    }
}

words! {
    /// Why an event is ignored. Redelivery could not change that.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Ignored, reason of reasons {
        /// Neither Event Grid's schema nor CloudEvents 1.0.
        #[error("not an event: no eventType and no type")]
        NotAnEvent => "not_an_event",
        /// A CloudEvent of a version that nobody has defined yet.
        #[error("a CloudEvent of an unknown specversion")]
        SpecVersion => "spec_version",
        /// Not a finished write: a deletion, a failure, an action, or somebody else's event.
        #[error("not a successful write")]
        EventType => "event_type",
        /// No resource ID where one belongs.
        #[error("no resource ID in the event")]
        NoResourceId => "no_resource_id",
        /// A write of something else.
        #[error("{}", ParseResourceIdError::NotADiskOrSnapshot)]
        NotADiskOrSnapshot => "not_a_disk_or_snapshot",
        /// An ID that Azure could not have sent.
        #[error("{0}")]
        InvalidResourceId(String) => "invalid_resource_id",
    }
}

impl Ignored {
    /// Whether it is no event at all, as far as anybody can tell.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::NotAnEvent | Self::SpecVersion)
    }
}

/// Reads one event of either schema.
///
/// # Errors
/// The event is none of our business, which is no failure: whoever calls answers it with success.
pub fn parse(event: &Value) -> Result<ResourceWritten, Ignored> {
    let attributes = attributes(event)?;
    let event_type = attributes.event_type.as_deref().unwrap_or_default();
    let data = &event["data"];
    let resource = if event_type.eq_ignore_ascii_case(RESOURCE_WRITE_SUCCESS) {
        text(&event["subject"]).or_else(|| text(&data["resourceUri"]))
    } else if event_type.eq_ignore_ascii_case(RESOURCE_CREATED_OR_UPDATED) {
        text(&data["resourceInfo"]["id"]).or_else(|| text(&event["subject"]))
    } else {
        return Err(Ignored::EventType);
    };
    Ok(ResourceWritten {
        subject: subject(resource.ok_or(Ignored::NoResourceId)?)?,
        event_id: text(&event["id"]).map(str::to_owned),
        time: time(event),
        correlation_id: correlation_id(&data["correlationId"]),
        caller: caller(&data["claims"]),
        attributes,
    })
}

fn subject(id: &str) -> Result<Subject, Ignored> {
    let fault: ParseResourceIdError = match id.parse() {
        Ok(resource) => return Ok(Subject::Resource(resource)),
        Err(fault) => fault,
    };
    match (id.parse(), fault) {
        (Ok(machine), _) => Ok(Subject::Machine(machine)),
        (Err(ParseMachineIdError::NotAMachine), ParseResourceIdError::NotADiskOrSnapshot) => {
            Err(Ignored::NotADiskOrSnapshot)
        }
        (Err(ParseMachineIdError::NotAMachine), fault) => Err(Ignored::InvalidResourceId(fault.to_string())),
        (Err(fault), _) => Err(Ignored::InvalidResourceId(fault.to_string())),
    }
}

fn attributes(event: &Value) -> Result<Attributes, Ignored> {
    let own = |name: &str| text(&event[name]).map(str::to_owned);
    if event.get("specversion").is_some() {
        if own("specversion").as_deref() != Some("1.0") {
            return Err(Ignored::SpecVersion);
        }
        return Ok(Attributes {
            source: own("source"),
            event_type: Some(own("type").ok_or(Ignored::NotAnEvent)?),
            spec_version: own("specversion"),
            traceparent: own("traceparent"),
            tracestate: own("tracestate"),
        });
    }
    let event_type = Some(own("eventType").ok_or(Ignored::NotAnEvent)?);
    Ok(Attributes { source: own("topic"), event_type, ..Attributes::default() })
}

fn time(event: &Value) -> Option<OffsetDateTime> {
    let written = text(&event["eventTime"]).or_else(|| text(&event["time"]))?;
    OffsetDateTime::parse(written, &Rfc3339).ok()
}

/// A correlation ID that is safe in a log: Azure's are GUIDs, and nothing else is believed of them but that they are
/// short and hold neither spaces nor control characters.
pub fn correlation_id(value: &Value) -> Option<String> {
    let is_safe = |id: &&str| id.len() <= CORRELATION_ID_LEN_MAX && id.bytes().all(|b| b.is_ascii_graphic());
    text(value).filter(is_safe).map(str::to_owned)
}

fn caller(claims: &Value) -> Option<ObjectId> {
    text(&claims[OBJECT_ID_CLAIM]).or_else(|| text(&claims["oid"])).map(ObjectId::new)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
