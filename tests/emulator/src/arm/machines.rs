//! Virtual machines and scale sets over Resource Manager. A write completes at once: observers of its end do
//! not depend on how its operation runs.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    machine::{MachineId, MachineKind},
    refusal::Refusal,
    resource_id::ResourceId,
    write::ResourceWrite,
};

impl Emulator {
    pub(super) fn get_machine(&self, id: &MachineId) -> Result<Answer, Refusal> {
        let state = self.inner.state.lock();
        let stored = state.machines.get(&id.key()).ok_or_else(Refusal::resource_not_found)?;
        Ok(Answer::json(StatusCode::OK, &stored.body))
    }

    pub(super) fn put_machine_at(&self, context: &Context, id: &MachineId) -> Result<Answer, Refusal> {
        let sent = context.body()?;
        let is_new = !self.inner.state.lock().machines.contains_key(&id.key());
        let body = self.make_machine(id, &sent, context.write(id.to_string()))?;
        Ok(Answer::json(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &body))
    }

    pub(super) fn delete_machine_at(&self, context: &Context, id: &MachineId) -> Answer {
        let was_there = self.unmake_machine(id, context.write(id.to_string()));
        Answer::empty(if was_there { StatusCode::OK } else { StatusCode::NO_CONTENT })
    }

    /// Creates or replaces a machine and raises its event, and those of its new disks if the options say so.
    pub(crate) fn make_machine(
        &self,
        id: &MachineId,
        sent: &Value,
        mut write: ResourceWrite,
    ) -> Result<Value, Refusal> {
        let date = self.inner.clock.now();
        let mut state = self.inner.state.lock();
        if id.kind == MachineKind::Instance && !state.machines.contains_key(&id.key()) {
            let message = "Instances are made by their scale set.";
            return Err(Refusal::new(409, "OperationNotAllowed", message));
        }
        let made = state.put_machine(id, sent, date);
        let body = state.machines.get(&id.key()).map(|known| known.body.clone()).unwrap_or_default();
        write.at = date;
        write.succeeded = true;
        if self.inner.options.machine_disks_raise_events {
            for disk in &made {
                self.inner.writes.raise(&write_of(disk, &write));
            }
        }
        self.inner.writes.raise(&write);
        drop(state);
        self.inner.journal.notify();
        Ok(body)
    }

    pub(crate) fn unmake_machine(&self, id: &MachineId, mut write: ResourceWrite) -> bool {
        let mut state = self.inner.state.lock();
        let was_there = state.delete_machine(id);
        if was_there {
            write.at = self.inner.clock.now();
            write.succeeded = true;
            self.inner.writes.raise(&write);
        }
        drop(state);
        self.inner.journal.notify();
        was_there
    }

    /// The instances of a scale set, as its own list returns them.
    pub(super) fn list_instances(&self, context: &Context, id: &MachineId) -> Result<Answer, Refusal> {
        let state = self.inner.state.lock();
        if !state.machines.contains_key(&id.key()) {
            return Err(Refusal::resource_not_found());
        }
        let listed = state.instances(id).into_iter().map(|one| state.listed(id, &one)).collect();
        drop(state);
        Ok(self.page_of(context, listed))
    }

    /// The virtual machines of a resource group, all or those of one scale set.
    pub(super) fn list_machines(&self, context: &Context, group: &str) -> Result<Answer, Refusal> {
        let filter = context.request.parameter("$filter");
        let scale_set = filter.as_deref().map(scale_set_of).transpose()?;
        let state = self.inner.state.lock();
        let listed = state
            .machines
            .values()
            .filter(|known| known.id.kind == MachineKind::VirtualMachine)
            .filter(|known| known.id.group.eq_ignore_ascii_case(group))
            .filter(|known| {
                context.route.subscription().is_some_and(|id| known.id.subscription.eq_ignore_ascii_case(id))
            })
            .filter(|known| scale_set.is_none() || known.scale_set == scale_set)
            .map(|known| known.body.clone())
            .collect();
        drop(state);
        Ok(self.page_of(context, listed))
    }

    /// One page. The token is the number of elements before the next page.
    fn page_of(&self, context: &Context, all: Vec<Value>) -> Answer {
        let request = &context.request;
        let token = request.parameter("$skiptoken");
        let skip = token
            .and_then(|token| URL_SAFE_NO_PAD.decode(token).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<usize>().ok())
            .unwrap_or_default();
        let most = self.inner.options.page_size.max(1);
        let is_more = all.len() > skip.saturating_add(most);
        let value: Vec<Value> = all.into_iter().skip(skip).take(most).collect();
        let mut page = json!({"value": value});
        if is_more {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("api-version", &context.api_version);
            if let Some(filter) = request.parameter("$filter") {
                query.append_pair("$filter", &filter);
            }
            query.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode((skip + most).to_string()));
            page["nextLink"] = json!(format!("{}{}?{}", request.origin, request.path, query.finish()));
        }
        Answer::json(StatusCode::OK, &page)
    }
}

/// The scale set in a filter, by id in lower case. Azure supports no other filter.
fn scale_set_of(filter: &str) -> Result<String, Refusal> {
    let named =
        filter.strip_prefix("'virtualMachineScaleSet/id' eq '").and_then(|rest| rest.strip_suffix('\''));
    named.map(str::to_ascii_lowercase).ok_or_else(|| {
        Refusal::new(400, "InvalidParameter", &format!("The value of parameter $filter is invalid: {filter}"))
    })
}

/// The write of a disk that was created with a machine.
fn write_of(disk: &ResourceId, machine: &ResourceWrite) -> ResourceWrite {
    ResourceWrite {
        resource_id: disk.to_string(),
        operation_name: format!("{}/write", disk.kind.type_name()),
        url: format!("https://management.azure.com{disk}?api-version=2024-03-02"),
        ..machine.clone()
    }
}
