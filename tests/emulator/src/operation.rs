//! Long-running operations of the Compute provider: their change and their state.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    clock::timestamp,
    disk,
    fault::Course,
    resource_id::ResourceId,
    stamp::Secret,
    tag_rules::{merge_tags, remove_tags},
    write::ResourceWrite,
};

/// The effect of a successful operation.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(Value),
    Patch(Value),
    Delete,
    Tags(TagChange, Map<String, Value>),
    /// A shared access signature: granted, or revoked. For a disk or snapshot that was created for an upload, the
    /// signature writes (`DiskState` of the disk resource provider: `ReadyToUpload`, then `ActiveUpload` as soon as
    /// a write token has been issued), and its revocation ends the upload ("Upload a VHD to Azure or copy a managed
    /// disk to another region": revoking the SAS changes the state, so that the disk can be attached).
    Access(bool),
}

/// The change of a write of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TagChange {
    Merge,
    Replace,
    Delete,
}

impl TagChange {
    pub(crate) fn of(
        self,
        mut current: Map<String, Value>,
        given: &Map<String, Value>,
    ) -> Map<String, Value> {
        match self {
            Self::Merge => merge_tags(&mut current, given),
            Self::Replace => current.clone_from(given),
            Self::Delete => remove_tags(&mut current, given),
        }
        current
    }
}

impl Change {
    /// Whether the resource is `Updating` meanwhile, and conflicts with other writes of it.
    pub(crate) fn occupies(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Patch(_) | Self::Delete)
    }

    /// The resource after the change, and the output of the operation if it is not the resource; null means
    /// none.
    pub(crate) fn of(
        &self,
        id: &ResourceId,
        current: &Value,
        date: OffsetDateTime,
    ) -> (Value, Option<Value>) {
        match self {
            Self::Put(sent) => (disk::created(id, sent, Some(current), date), None),
            Self::Patch(sent) => (disk::patched(current, sent), None),
            Self::Delete => (current.clone(), Some(Value::Null)),
            Self::Tags(change, given) => {
                let tags = current["tags"].as_object().cloned().unwrap_or_default();
                let mut body = current.clone();
                disk::set_tags(&mut body, change.of(tags, given));
                (body, None)
            }
            Self::Access(begin) => {
                let mut body = current.clone();
                let before = current["properties"]["diskState"].as_str();
                let after = match (begin, before) {
                    (true, Some("ReadyToUpload" | "ActiveUpload")) => "ActiveUpload",
                    (true, _) => "ActiveSAS",
                    (false, Some("ReadyToUpload")) => "ReadyToUpload",
                    (false, _) if current["managedBy"].is_null() => "Unattached",
                    (false, _) => "Attached",
                };
                body["properties"]["diskState"] = json!(after);
                let signature = format!("https://md-local.blob.core.windows.net/{}/abcd?sig=local", id.name);
                (body, Some(if *begin { json!({"accessSAS": signature}) } else { Value::Null }))
            }
        }
    }
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Succeeded { output: Option<Value> },
    Failed { code: String, message: String },
    Canceled { code: String, message: String },
}

/// A long-running operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Its id, a GUID.
    pub(crate) name: String,
    pub(crate) target: ResourceId,
    pub(crate) location: String,
    /// The version of the request that started it, which is part of its URLs.
    pub(crate) api_version: String,
    pub(crate) change: Change,
    /// How it ends by a fault.
    pub(crate) course: Option<Course>,
    pub(crate) started: OffsetDateTime,
    pub(crate) ended: Option<OffsetDateTime>,
    pub(crate) end: Option<End>,
    /// How many more polls return `InProgress`, even if it has ended.
    pub(crate) polls_left: u32,
    /// The event to raise when it has ended.
    pub(crate) write: Option<ResourceWrite>,
}

impl Operation {
    /// Whether polls return it as ended.
    pub(crate) fn visible_end(&self) -> Option<&End> {
        self.end.as_ref().filter(|_| self.polls_left == 0)
    }

    /// The response of the status URL, without the output.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({"startTime": timestamp(self.started)});
        let end = self.visible_end();
        if let (Some(_), Some(ended)) = (end, self.ended) {
            status["endTime"] = json!(timestamp(ended));
        }
        let (word, error) = match end {
            None => ("InProgress", None),
            Some(End::Succeeded { .. }) => ("Succeeded", None),
            Some(End::Failed { code, message }) => ("Failed", Some((code, message))),
            Some(End::Canceled { code, message }) => ("Canceled", Some((code, message))),
        };
        status["status"] = json!(word);
        if let Some((code, message)) = error {
            status["error"] = json!({"code": code, "message": message});
        }
        status["name"] = json!(self.name);
        status
    }

    pub(crate) fn path(&self) -> String {
        let (subscription, location, name) = (&self.target.subscription, &self.location, &self.name);
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/DiskOperations/{name}"
        )
    }

    /// The query of the status URL, or of the result's (`monitor`). A signed one is longer than 4 kB.
    pub(crate) fn query(&self, monitor: bool, signer: Option<&Secret>) -> String {
        let name = &self.name;
        let monitor = if monitor { "&monitor=true" } else { "" };
        let plain =
            format!("p=d911c7ed-ab64-4a18-819c-23c3fc88d285{monitor}&api-version={}", self.api_version);
        let Some(signer) = signer else { return plain };
        let certificate = signer.certificate();
        let ticks = self.started.unix_timestamp_nanos() / 100 + TICKS_TO_1970;
        let signature = signer.stamp(&format!("{name}{monitor}"), 256);
        let hash = signer.stamp(name, 32);
        format!("{plain}&t={ticks}&c={certificate}&s={signature}&h={hash}")
    }
}

/// Azure counts time in units of 100 ns since the year 1.
const TICKS_TO_1970: i128 = 621_355_968_000_000_000;
