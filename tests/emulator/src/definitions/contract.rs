//! Rules for what the definitions lack, by our own reading.
//!
//! Sources: "Track asynchronous Azure operations" and recorded operations for their states and results;
//! "Subscriptions - List" for the list of subscriptions; "Management Groups - Get Descendants" for what is below
//! a management group; "Virtual Machines - Get" for the disks of machines; the Compute provider's common types for errors,
//! which the definitions of disks and snapshots do not declare before 2026; "Troubleshoot Compute throttling
//! errors" for its 429, which is recorded without the envelope.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{
    document::Documents,
    schema::{self, Side, faults},
};

const COMPUTE: &str = "compute/resource-manager/Microsoft.Compute/";
/// The version of the list of subscriptions.
pub(super) const SUBSCRIPTIONS_VERSION: &str = "2022-12-01";
/// The version of the list of what is below a management group.
pub(super) const DESCENDANTS_VERSION: &str = "2020-05-01";

/// The version of the machines.
pub(super) const MACHINES_VERSION: &str = "2024-03-01";

/// The rules, compiled.
#[derive(Debug)]
pub(super) struct Contract {
    state: Validator,
    disk: Validator,
    snapshot: Validator,
    access: Validator,
    subscriptions: Validator,
    machine: Validator,
    descendants: Validator,
    error: Validator,
    bare_error: Validator,
}

/// A request that no definition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The state of an operation, or its result.
    Poll,
    /// The list of subscriptions.
    Subscriptions,
    /// A virtual machine, or a list of some. The official data has no definition of it.
    Machine,
    /// What is below a management group.
    Descendants,
    /// The resources of a deployment: permissions, event subscriptions, functions, containers. The official
    /// data has no definition of them, so their responses are not judged.
    Deployment,
    /// The activity log. The official data has no definition of it, so its responses are not judged.
    Activity,
    /// A resource group. The official data has no definition of it.
    Group,
    /// The query of a workspace. The official data has no definition of it.
    Logs,
}

impl Place {
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments[..] {
            ["subscriptions"] => Some(Self::Subscriptions),
            ["providers", "microsoft.management", "managementgroups", _, "descendants"] => {
                Some(Self::Descendants)
            }
            ["subscriptions", _, "providers", "microsoft.compute", "locations", _, "diskoperations", _] => {
                Some(Self::Poll)
            }
            ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.compute", kind, ..]
                if kind.starts_with("virtualmachine") =>
            {
                Some(Self::Machine)
            }
            ["subscriptions", _, "resourcegroups", _] => Some(Self::Group),
            ["subscriptions", _, "providers", "microsoft.insights", "components"] => Some(Self::Deployment),
            ["subscriptions", _, "providers", "microsoft.insights", "eventtypes", "management", "values"] => {
                Some(Self::Activity)
            }
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.operationalinsights",
                "workspaces",
                _,
                "query",
            ] => Some(Self::Logs),
            _ if path.contains("/providers/microsoft.authorization/") => Some(Self::Deployment),
            [
                "subscriptions",
                _,
                "providers",
                "microsoft.eventgrid",
                "systemtopics" | "eventsubscriptions",
            ]
            | [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.eventgrid",
                "systemtopics",
                ..,
            ]
            | ["subscriptions", _, "resourcegroups", _, "providers", "microsoft.web", "sites", ..]
            | [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.storage",
                "storageaccounts",
                ..,
            ] => Some(Self::Deployment),
            _ => None,
        }
    }
}

impl Contract {
    pub(super) fn compile(documents: &mut Documents) -> Result<Self, String> {
        let mut of = |file: &str, name: &str, side: Side| {
            let reference = json!({"$ref": format!("#/definitions/{name}")});
            schema::compile(documents, Path::new(&format!("{COMPUTE}{file}")), &reference, side)
        };
        Ok(Self {
            state: schema::validator(&state())?,
            // The result for a deleted resource was recorded without properties.
            disk: of("DiskRP/stable/2024-03-02/disk.json", "Disk", Side::Answer)?,
            snapshot: of("DiskRP/stable/2024-03-02/snapshot.json", "Snapshot", Side::Answer)?,
            access: of("DiskRP/stable/2024-03-02/diskRPCommon.json", "AccessUri", Side::Answer)?,
            subscriptions: schema::validator(&subscriptions())?,
            machine: schema::validator(&machine())?,
            descendants: schema::validator(&descendants())?,
            error: of("common-types/v1/common.json", "CloudError", Side::Answer)?,
            bare_error: of("common-types/v1/common.json", "ApiError", Side::Answer)?,
        })
    }

    /// The faults of a successful response.
    pub(super) fn success(&self, place: Place, status: u16, is_result: bool, body: &Value) -> Vec<String> {
        match (place, status, is_result) {
            (Place::Deployment | Place::Activity | Place::Logs, 200, _)
            | (Place::Group, 200..=202, _)
            | (Place::Machine, 204, _) => Vec::new(),
            (Place::Subscriptions, 200, _) => faults(&self.subscriptions, body),
            (Place::Descendants, 200, _) => faults(&self.descendants, body),
            (Place::Poll, 200, false) => {
                let mut found = faults(&self.state, body);
                if let Some(output) = body.pointer("/properties/output") {
                    found.extend(
                        self.result(output).into_iter().map(|fault| format!("/properties/output{fault}")),
                    );
                }
                found
            }
            (Place::Poll, 200, true) => self.result(body),
            (Place::Poll, 202, true) | (Place::Machine, 200, _) if body.is_null() => Vec::new(),
            (Place::Machine, 200 | 201, _) => match body["value"].as_array() {
                Some(page) => page.iter().flat_map(|machine| faults(&self.machine, machine)).collect(),
                None => faults(&self.machine, body),
            },
            _ => vec![format!("/: status {status} is not one of this request's")],
        }
    }

    /// The faults of an operation's result: the resource, the access, or nothing.
    fn result(&self, body: &Value) -> Vec<String> {
        let is_a = |name: &str| body["type"].as_str().is_some_and(|given| given.eq_ignore_ascii_case(name));
        match body {
            Value::Null => Vec::new(),
            _ if is_a("Microsoft.Compute/disks") => faults(&self.disk, body),
            _ if is_a("Microsoft.Compute/snapshots") => faults(&self.snapshot, body),
            _ => faults(&self.access, body),
        }
    }

    /// The faults of an error response, in the shape that its operation declares, or else the common one.
    pub(super) fn failure(&self, declared: Option<&Validator>, status: u16, body: &Value) -> Vec<String> {
        let is_bare = status == 429 && body.get("error").is_none();
        let error = if is_bare { body } else { &body["error"] };
        let mut found = match declared {
            _ if is_bare => faults(&self.bare_error, body),
            Some(declared) => faults(declared, body),
            None => faults(&self.error, body),
        };
        for member in ["code", "message"] {
            if error[member].as_str().is_none_or(str::is_empty) {
                found.push(format!("/error/{member}: a failure without it says nothing"));
            }
        }
        found
    }
}

/// "Track asynchronous Azure operations", and the recorded members.
fn state() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let time = json!({"type": "string", "format": "date-time"});
    json!({
        "type": "object",
        "properties": {
            "startTime": time,
            "endTime": time,
            "status": text,
            "name": text,
            "properties": {
                "type": "object",
                "properties": {"output": {"type": "object"}},
                "required": ["output"],
                "additionalProperties": false,
            },
            "error": {
                "type": "object",
                "properties": {"code": text, "message": text},
                "required": ["code", "message"],
                "additionalProperties": false,
            },
        },
        "required": ["startTime", "status", "name"],
        "additionalProperties": false,
        "oneOf": [
            {
                "properties": {"status": {"enum": ["Succeeded"]}},
                "required": ["endTime"],
                "not": {"required": ["error"]},
            },
            {
                "properties": {"status": {"enum": ["Failed", "Canceled"]}},
                "required": ["endTime", "error"],
                "not": {"required": ["properties"]},
            },
            {
                "properties": {"status": {"enum": ["InProgress"]}},
                "not": {"anyOf": [
                    {"required": ["endTime"]},
                    {"required": ["error"]},
                    {"required": ["properties"]},
                ]},
            },
        ],
    })
}

/// "Subscriptions - List", as far as clients read it.
fn subscriptions() -> Value {
    json!({
        "type": "object",
        "properties": {
            "value": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "pattern": "^/subscriptions/[^/]+$"},
                        "subscriptionId": {"type": "string", "pattern": "^[0-9a-fA-F-]{36}$"},
                        "displayName": {"type": "string"},
                        "state": {"type": "string"},
                    },
                    "required": ["id", "subscriptionId"],
                },
            },
            "nextLink": {"type": "string"},
        },
        "required": ["value"],
    })
}

/// "Virtual Machines - Get" and "Virtual Machine Scale Set VMs - List", as far as clients read them.
fn machine() -> Value {
    let disk = json!({
        "type": "object",
        "properties": {
            "createOption": {"enum": ["FromImage", "Empty", "Attach", "Copy", "Restore"]},
            "managedDisk": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "pattern": "^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Compute/disks/[^/]+$"},
                    "storageAccountType": {"type": "string"},
                },
            },
        },
        "required": ["createOption"],
    });
    let profile = json!({
        "type": "object",
        "properties": {"osDisk": disk, "dataDisks": {"type": "array", "items": disk}},
    });
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Compute/virtualMachine"},
            "name": {"type": "string"},
            "location": {"type": "string"},
            "properties": {"type": "object", "properties": {"storageProfile": profile}},
        },
        "required": ["id", "name"],
    })
}

/// "Management Groups - Get Descendants".
fn descendants() -> Value {
    json!({
        "type": "object",
        "properties": {
            "value": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {
                            "type": "string",
                            "pattern": "^(/subscriptions|/providers/Microsoft.Management/managementGroups)/[^/]+$",
                        },
                        "type": {"type": "string"},
                        "name": {"type": "string"},
                        "properties": {
                            "type": "object",
                            "properties": {
                                "displayName": {"type": "string"},
                                "parent": {"type": "object", "properties": {"id": {"type": "string"}}},
                            },
                            "additionalProperties": false,
                        },
                    },
                    "required": ["id", "type", "name"],
                    "additionalProperties": false,
                },
            },
            "nextLink": {"type": "string"},
        },
        "required": ["value"],
        "additionalProperties": false,
    })
}
