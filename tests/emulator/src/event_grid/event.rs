//! The event that Resource Manager raises when a write or delete has ended.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use super::options::{DeliverySchema, EventGridOptions, Spelling};
use crate::write::{Caller, ResourceWrite};

/// An event before it is formatted in a delivery schema.
#[derive(Clone, Debug)]
pub(super) struct ResourceEvent {
    event_type: String,
    subject: String,
    topic: String,
    time: String,
    data: Value,
}

impl ResourceEvent {
    pub(super) fn of(write: &ResourceWrite, options: &EventGridOptions) -> Self {
        Self {
            event_type: event_type(write),
            subject: spelled(&write.resource_id, options.spelling),
            topic: format!("/subscriptions/{}", write.subscription_id),
            time: ticks(write.at),
            data: data(write, options),
        }
    }

    /// Whether the event passes the subscription's filters.
    pub(super) fn passes(&self, options: &EventGridOptions) -> bool {
        let holds = |values: &[String], value: &str| values.iter().any(|v| v.eq_ignore_ascii_case(value));
        let operation = self.data["operationName"].as_str().unwrap_or_default();
        // "Understand event filtering": StringNotIn is true if the key does not exist, and strings compare without case.
        let app = self.data["claims"]["appid"].as_str();
        (options.included_event_types.is_empty() || holds(&options.included_event_types, &self.event_type))
            && (options.operation_names.is_empty() || holds(&options.operation_names, operation))
            && !app.is_some_and(|app| holds(&options.excluded_app_ids, app))
    }

    /// The event as an endpoint receives it, with a new id.
    pub(super) fn render(self, schema: DeliverySchema) -> Value {
        let id = Uuid::new_v4().to_string();
        match schema {
            DeliverySchema::EventGridSchema => json!({
                "subject": self.subject,
                "eventType": self.event_type,
                "id": id,
                "data": self.data,
                "dataVersion": "2",
                "metadataVersion": "1",
                "eventTime": self.time,
                "topic": self.topic,
            }),
            DeliverySchema::CloudEventSchemaV1_0 => json!({
                "id": id,
                "source": self.topic,
                "specversion": "1.0",
                "type": self.event_type,
                "subject": self.subject,
                "time": self.time,
                "data": self.data,
            }),
        }
    }
}

/// A time as Event Grid formats it: .NET's seven digits, UTC.
pub(crate) fn ticks(at: OffsetDateTime) -> String {
    let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let whole = at.format(&seconds).unwrap_or_default();
    format!("{whole}.{:07}Z", at.nanosecond() / 100)
}

fn event_type(write: &ResourceWrite) -> String {
    let operation = write.operation_name.to_ascii_lowercase();
    let kind = match operation.rsplit('/').next() {
        Some("write") => "Write",
        Some("delete") => "Delete",
        _ => "Action",
    };
    let result = if write.succeeded { "Success" } else { "Failure" };
    format!("Microsoft.Resources.Resource{kind}{result}")
}

fn spelled(id: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::AsStored => id.to_owned(),
        Spelling::LowerCaseResourceGroups => id
            .split('/')
            .map(|part| if part.eq_ignore_ascii_case("resourcegroups") { "resourcegroups" } else { part })
            .collect::<Vec<_>>()
            .join("/"),
        Spelling::UpperCase => id.to_ascii_uppercase(),
    }
}

fn data(write: &ResourceWrite, options: &EventGridOptions) -> Value {
    let uri = spelled(&write.resource_id, options.spelling);
    let provider = write.operation_name.split('/').next().unwrap_or_default();
    let upper = options.spelling == Spelling::UpperCase;
    let name = |value: &str| if upper { value.to_ascii_uppercase() } else { value.to_owned() };
    let mut data = Map::new();
    data.insert(
        "authorization".to_owned(),
        json!({
            "scope": uri,
            "action": name(&write.operation_name),
            // Unknown values are an empty array instead of an object.
            "evidence": if options.claims { evidence(&write.caller) } else { json!([]) },
        }),
    );
    if options.claims {
        data.insert("claims".to_owned(), claims(&write.caller, write.at));
    }
    data.insert("correlationId".to_owned(), write.correlation_id.clone().into());
    if options.http_request {
        data.insert(
            "httpRequest".to_owned(),
            json!({
                "clientRequestId": Uuid::new_v4().to_string(),
                "clientIpAddress": CLIENT_ADDRESS,
                "method": write.method,
                "url": write.url,
            }),
        );
    }
    data.insert("resourceProvider".to_owned(), name(provider).into());
    data.insert("resourceUri".to_owned(), uri.into());
    data.insert("operationName".to_owned(), name(&write.operation_name).into());
    data.insert("status".to_owned(), if write.succeeded { "Succeeded" } else { "Failed" }.into());
    data.insert("subscriptionId".to_owned(), write.subscription_id.clone().into());
    data.insert("tenantId".to_owned(), write.caller.tenant_id.clone().into());
    Value::Object(data)
}

/// An address from the range reserved for documentation.
const CLIENT_ADDRESS: &str = "203.0.113.7";

fn evidence(caller: &Caller) -> Value {
    json!({
        "role": "Contributor",
        // Role assignments name principals without dashes.
        "principalId": caller.object_id.replace('-', ""),
        "principalType": if caller.is_user { "User" } else { "ServicePrincipal" },
    })
}

/// Every value is a string, including numbers.
fn claims(caller: &Caller, at: OffsetDateTime) -> Value {
    let issued = at.unix_timestamp();
    let mut claims = json!({
        "aud": "https://management.core.windows.net/",
        "iss": format!("https://sts.windows.net/{}/", caller.tenant_id),
        "iat": issued.to_string(),
        "nbf": issued.to_string(),
        "exp": (issued + 3600).to_string(),
        "appid": caller.app_id,
        "appidacr": if caller.is_user { "0" } else { "2" },
        "idtyp": if caller.is_user { "user" } else { "app" },
        "ipaddr": CLIENT_ADDRESS,
        "http://schemas.microsoft.com/identity/claims/objectidentifier": caller.object_id,
        "http://schemas.microsoft.com/identity/claims/tenantid": caller.tenant_id,
        "uti": "emulated",
        "ver": "1.0",
    });
    if let Some(name) = &caller.name {
        claims["name"] = name.clone().into();
    }
    claims
}
