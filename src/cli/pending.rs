//! `diskseal pending`: shows what waits on the queue `diskseal-pending`, and what was given up. Receives nothing.

mod shown;

use std::{process::ExitCode, sync::Arc};

use azure_core::http::{HttpClient, Url};
use clap::{ArgMatches, Command};

use super::{
    flags,
    help::Guide,
    installation::{self, Reach},
    policy::{Form, wide_output_arg},
    queue,
    session::{self, Exit, Session, complain, print},
    subscriptions::subscriptions,
};
use crate::{
    arm::{Error, Failure, SystemFailure},
    azure::{Identity, http_client},
    doctor::{Peeked, peek},
    enforce,
    function::{POISON, QUEUE},
};
use shown::Shown;

/// The role that may read messages ("Azure built-in roles for Storage").
const ROLE: &str = "Storage Queue Data Reader";

const GUIDE: Guide = Guide {
    examples: &[
        "diskseal pending",
        "diskseal pending -o wide",
        "diskseal pending -o json | jq -r '.poison.resources[].id'",
        "diskseal pending \\\n  --storage-account https://ACCOUNT.queue.core.windows.net",
    ],
    exits: &[
        (0, "the queues were read"),
        (1, "they may not be read"),
        (2, "invalid arguments or settings"),
        (3, "Azure could not be reached"),
    ],
};

pub(super) fn command() -> Command {
    Command::new("pending")
        .about("List what waits on the queue, and what was given up")
        .long_about(
            "List the resources on the queue diskseal-pending and on its poison queue: why each is not sealed, since when, and \
             when the next try is. Nothing is received, changed or deleted.\n\n\
             Azure shows the first 32 visible messages of a queue. A message that was tried is hidden until its next \
             try; such messages are counted, and not listed. Azure deletes what was given up after seven days; every \
             sweep tries it again.",
        )
        .add(GUIDE)
        .arg(installation::arg())
        .arg(flags::all_subscriptions_arg())
        .arg(wide_output_arg())
        .arg(queue::arg())
}

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let form = Form::of(matches);
    let given = matches.get_one::<String>(queue::FLAG).cloned();
    session::run(matches, Reach::Reads, |session| pending(session, given, form))
}

async fn pending(session: Session, given: Option<String>, form: Form) -> Exit {
    let found = tokio::select! {
        found = read(&session, given) => found,
        _ = tokio::signal::ctrl_c() => Err(("interrupted".to_owned(), Exit::NotAll)),
    };
    match found {
        Ok(shown) => {
            print(&shown.text(form));
            Exit::Done
        }
        Err((fault, exit)) => {
            complain(&fault, exit);
            exit
        }
    }
}

type Fault = (String, Exit);

async fn read(session: &Session, given: Option<String>) -> Result<Shown, Fault> {
    let http = http_client().map_err(|fault| (format!("no HTTP client: {fault}"), Exit::Usage))?;
    let (service, identity) = service(session, given, &http)?;
    let read = |queue| peek(&http, &service, queue, &identity, session.config.deadline);
    // One after the other: the second needs the same right.
    let pending = read(QUEUE).await;
    let pending = match pending {
        Ok(pending) => pending,
        Err(error) => return Err(fault(session, &service, &error).await),
    };
    let poison = match read(POISON).await {
        Ok(poison) => poison,
        Err(error) => return Err(fault(session, &service, &error).await),
    };
    let (pending, poison) = (pending.unwrap_or(NOTHING), poison.unwrap_or(NOTHING));
    let subscriptions = subscriptions(session).await;
    Ok(Shown { taken_at: session.ctx.now(), service: service.to_string(), pending, poison, subscriptions })
}

/// What a queue holds that does not exist: the host creates it with its first message.
const NOTHING: Peeked = Peeked { messages: 0, entries: vec![] };

/// The queue service that is named: by the flag, the environment, or the app.
fn service(
    session: &Session,
    given: Option<String>,
    http: &Arc<dyn HttpClient>,
) -> Result<(Url, Identity), Fault> {
    let own = || std::env::var(queue::SETTING).ok().filter(|url| !url.trim().is_empty());
    if let Some(url) = given.or_else(own) {
        let found = queue::service(&url, &session.config.identity(), http, session::now);
        return found.map_err(|fault| (fault, Exit::Usage));
    }
    session.queue_service(http).ok_or_else(|| {
        let fault = "the address of the queue is unknown; pass --app RESOURCE_ID, or --storage-account \
                     https://ACCOUNT.queue.core.windows.net";
        (fault.to_owned(), Exit::Usage)
    })
}

/// A queue that cannot be read, and what to do about it. The two kinds of 403 differ by code alone ("Queue service error
/// codes", "Common REST API error codes").
async fn fault(session: &Session, service: &Url, error: &Error) -> Fault {
    let host = service.host_str().unwrap_or_default();
    let account = host.split('.').next().unwrap_or_default();
    match error.code.as_deref() {
        Some("AuthorizationPermissionMismatch") => {
            let identity = session.ctx.arm.identity().object_id(session.terms()).await.ok().flatten();
            let assignee = identity.unwrap_or_else(|| "OBJECT_ID".to_owned());
            let text = format!(
                "this identity may not read the queues of {account}: it needs the role {ROLE}:\n  \
                 az role assignment create --assignee {assignee} \\\n    \
                 --role \"{ROLE}\" \\\n    \
                 --scope $(az storage account show --name {account} --query id --output tsv)\n\
                 A new assignment takes up to ten minutes."
            );
            (text, Exit::NotAll)
        }
        Some("AuthorizationFailure") => {
            let text = format!(
                "the firewall of the storage account {account} refuses this machine: run the command in its network, or \
                 allow this machine in the account's network settings"
            );
            (text, Exit::NotAll)
        }
        _ if matches!(error.failure, Failure::System(SystemFailure::NoToken)) => {
            (error.to_string(), Exit::Unreachable)
        }
        _ => (
            format!("the queues of {host} cannot be read: {error}"),
            Exit::from(&enforce::Error::from(error.clone())),
        ),
    }
}
