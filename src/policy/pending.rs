//! Why a resource is not written now: an earlier write is in progress, or a seal would break a transfer of data.
//!
//! Sources: "Secure downloads and uploads of Azure managed disks", restrictions; `DiskState` and
//! `DiskCreateOption` of the disk resource provider; "Upload a VHD to Azure".

use crate::{
    resource::{DataAccessAuthMode, Member, Resource},
    resource_id::ResourceType,
};

words! {
    /// Why a resource cannot be sealed now.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum PendingReason, reason of reasons {
        /// An earlier write is still in progress, and ARM would answer a new write with a conflict.
        #[error("it is being created or changed")]
        Provisioning => "provisioning",
        /// It was created for an upload by URL, which the seal would break.
        #[error("it is ready for an upload, which the seal would break")]
        ReadyToUpload => "ready_to_upload",
        /// Data is being uploaded by a URL that the seal would invalidate.
        #[error("an upload into it is in progress, which the seal would break")]
        ActiveUpload => "active_upload",
        /// Data is being copied into it from a blob or a recovery point.
        #[error("data is being imported into it")]
        Import => "import",
        /// No data can be uploaded into an empty snapshot that has the mode.
        #[error("it is an empty snapshot, and the seal would prevent an upload into it")]
        EmptySnapshot => "empty_snapshot",
        /// Azure returns it in a form from which it does not follow what to do with it.
        #[error("Azure returns it in a form that cannot be read")]
        Malformed => "malformed",
        /// Azure has not answered which resources are protected.
        #[error("Azure has not answered whether a vault protects it")]
        GuardUnknown => "guard_unknown",
        /// Its network settings have values that may be somebody's choice.
        #[error("Azure returns network settings with values that are not known")]
        NetworkUnknown => "network_unknown",
    }
}

impl PendingReason {
    /// Why a resource cannot be written now; tags alone break no transfer.
    pub(super) fn of(resource: &Resource, sets_properties: bool) -> Option<Self> {
        let transfer = sets_properties.then(|| Self::transfer(resource)).flatten();
        transfer.or_else(|| resource.is_provisioning().then_some(Self::Provisioning))
    }

    /// The expected or running transfer of data into a resource, if there is one.
    fn transfer(resource: &Resource) -> Option<Self> {
        if resource.is_uploading() {
            return Some(Self::ActiveUpload);
        }
        // A later state shows that the upload has ended. The create option never changes.
        let is_for_upload = resource.is_made_by(&["Upload", "UploadPreparedSecure"]);
        if resource.is_in_state(&["ReadyToUpload"]) || (is_for_upload && resource.disk_state.is_none()) {
            return Some(Self::ReadyToUpload);
        }
        let is_snapshot = resource.id.resource_type() == ResourceType::Snapshot;
        if resource.cannot_read(Member::CreateOption) && (is_snapshot || resource.disk_state.is_none()) {
            // It may be made for an upload.
            return Some(Self::Malformed);
        }
        if resource.is_made_by(&["Import", "ImportSecure", "Restore"]) && is_copying(resource) {
            return Some(Self::Import);
        }
        // One that has the mode cannot be uploaded into any more.
        let is_open = !resource.has(&DataAccessAuthMode::AzureActiveDirectory);
        (is_snapshot && is_open && resource.is_made_by(&["Empty"])).then_some(Self::EmptySnapshot)
    }
}

/// Whether a copy is in progress. A failed copy keeps its last percentage.
fn is_copying(resource: &Resource) -> bool {
    let is_partial = resource.completion_percent.is_some_and(|percent| percent < 100);
    resource.is_provisioning() || (is_partial && !resource.has_failed())
}
