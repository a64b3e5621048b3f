//! Checks of the function app, its dead-letter container and its queue.
//!
//! Sources: "Web Apps - List Functions", "Blob Containers - Get", "Queue service error codes".

use serde_json::Value;

use super::{Finding, event_grid::DeadLetters};
use crate::{
    arm::{self, Failure, SystemFailure, api},
    function::{Function, QUEUE},
};

const CHECK: &str = "function app";
pub(super) const STORAGE: &str = "storage";

/// Checks the functions that the host knows.
pub(super) fn functions(app: &str, answer: Result<&[Value], &arm::Error>) -> Vec<Finding> {
    let known = match answer {
        Ok(known) => known,
        Err(error) if error.failure == Failure::Gone => {
            let remedy = "deploy the function app, or correct the destination of the event subscription";
            return vec![Finding::failed(CHECK, app, "does not exist", remedy)];
        }
        Err(error) => return vec![Finding::unreadable(CHECK, app, api::FUNCTIONS.action, error)],
    };
    let named = |wanted: &str| {
        known.iter().find(|function| {
            let name = function["name"].as_str().unwrap_or_default();
            name.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        })
    };
    let mut findings = vec![];
    for wanted in Function::names() {
        let (text, remedy) = match named(wanted) {
            None => (
                format!("the host does not know the function {wanted}"),
                format!(
                    "deploy the package again, with {wanted}/function.json beside host.json; then sync the triggers \
                     (az rest --method post --url {app}/syncfunctiontriggers?api-version=2024-04-01). If the host's \
                     log says \"Failed to start Worker Channel\" and then nothing for two minutes, the handler cannot \
                     be started: deploy the package of the app's architecture (x86_64)"
                ),
            ),
            Some(function) if function["properties"]["isDisabled"] == true => (
                format!("the function {wanted} is disabled"),
                format!("remove the app setting AzureWebJobs.{wanted}.Disabled"),
            ),
            Some(_) => continue,
        };
        findings.push(Finding::failed(CHECK, app, text, remedy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, app, format!("the host knows {}", Function::names().join(", "))));
    }
    findings
}

/// Checks the dead-letter container.
pub(super) fn dead_letters(container: &DeadLetters, answer: Result<&Value, &arm::Error>) -> Finding {
    let DeadLetters { storage_account, container } = container;
    let account = storage_account.rsplit('/').next().unwrap_or_default();
    let about = format!("{account}/{container}");
    match answer {
        Ok(body) => match body["properties"]["publicAccess"].as_str() {
            None | Some("None") => Finding::ok(STORAGE, about, "the dead-letter container exists"),
            Some(access) => Finding::warning(
                STORAGE,
                about,
                format!("the dead-letter container can be read by anyone (public access: {access})"),
                "set its public access to None: events contain names of people and resources",
            ),
        },
        Err(error) if error.failure == Failure::Gone => Finding::failed(
            STORAGE,
            about,
            "the dead-letter container does not exist",
            format!("az storage container create --auth-mode login --account-name {account} -n {container}"),
        ),
        Err(error) => Finding::unreadable(STORAGE, &about, api::CONTAINER.action, error),
    }
}

/// Checks the queue's answer.
pub(super) fn queue(service: &str, answer: Result<(), &arm::Error>) -> Finding {
    let about = format!("{}/{QUEUE}", service.trim_end_matches('/'));
    match answer {
        Ok(()) => Finding::ok(STORAGE, about, "the queue answers"),
        Err(error) if error.failure == Failure::Gone => Finding::warning(
            STORAGE,
            about,
            "the queue does not exist; the host creates it with the first message",
            format!("az storage queue create --auth-mode login -n {QUEUE}, or wait for the first message"),
        ),
        Err(error) => queue_refused(about, error),
    }
}

/// A queue that exists, and could not be read.
pub(super) fn queue_refused(about: String, error: &arm::Error) -> Finding {
    match error {
        // "Queue service error codes", "Common REST API error codes": the two kinds of 403 differ by code alone.
        _ if error.code.as_deref() == Some("AuthorizationPermissionMismatch") => Finding::warning(
            STORAGE,
            about,
            "not checked: this identity has no role for queues",
            "the function app's identity needs Storage Queue Data Contributor on the account; Storage Queue Data \
             Reader is enough for this check",
        ),
        _ if matches!(error.failure, Failure::System(SystemFailure::NoToken)) => {
            Finding::unreadable(STORAGE, &about, None, error)
        }
        _ => Finding::failed(
            STORAGE,
            about,
            format!("the queue does not answer: {error}"),
            "check the storage account's firewall, its private endpoint and DNS, from where the function app runs",
        ),
    }
}

pub(super) fn queue_not_checked() -> Finding {
    Finding::warning(
        STORAGE,
        QUEUE,
        "not checked: the address of the queue is unknown",
        "pass --storage-account https://ACCOUNT.queue.core.windows.net, or run where \
         AzureWebJobsStorage__queueServiceUri is set",
    )
}

pub(super) fn no_app() -> Finding {
    let remedy = "pass --app RESOURCE_ID, or create the event subscription";
    Finding::warning(CHECK, "", "not checked: no event subscription names the function app", remedy)
}
