//! Names that `az` lists, as candidates for completions. Without `az`, or with one that does not answer soon, there are
//! none.

use std::{ffi::OsStr, time::Duration};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::{azure::az, text::escaped};

/// How long a person waits for names at most.
const PATIENCE: Duration = Duration::from_secs(8);

/// A list of `az`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names {
    /// IDs of subscriptions; `az` keeps them, so this needs no request.
    Subscriptions,
    /// IDs of management groups.
    ManagementGroups,
    /// Resource groups of the current subscription.
    ResourceGroups,
    /// Names of regions.
    Locations,
    /// IDs of the function apps of installations, and the word for none.
    FunctionApps,
    /// IDs of disks and snapshots of the current subscription.
    Resources,
    /// IDs of Log Analytics workspaces of the current subscription.
    Workspaces,
}

/// What `az` runs: the arguments before `--query`, and the query.
type List = (&'static [&'static str], &'static str);

impl Names {
    /// The names for the flag of a setting.
    pub(super) fn of_setting(flag: &str) -> Option<Self> {
        match flag {
            "subscriptions" | "exempt-subscriptions" => Some(Self::Subscriptions),
            "management-group" => Some(Self::ManagementGroups),
            "exempt-resource-groups" => Some(Self::ResourceGroups),
            _ => None,
        }
    }

    /// The completer. A value is a list with commas, of which the last element is completed.
    pub(super) fn completer(self) -> ArgValueCompleter {
        ArgValueCompleter::new(move |typed: &OsStr| {
            let Some(typed) = typed.to_str() else { return vec![] };
            let (before, last) = match typed.rfind(',') {
                Some(at) => typed.split_at(at + 1),
                None => ("", typed),
            };
            let begins =
                |name: &&String| name.get(..last.len()).is_some_and(|start| start.eq_ignore_ascii_case(last));
            let names = self.list();
            names
                .iter()
                .filter(begins)
                .map(|name| CompletionCandidate::new(format!("{before}{name}")))
                .collect()
        })
    }

    fn list(self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return vec![] };
        runtime.block_on(async {
            let lists = self.lists().iter().map(|(arguments, query)| async move {
                let arguments = [*arguments, &["--query", query, "--output", "tsv"]].concat();
                let answer = tokio::time::timeout(PATIENCE, az(&arguments)).await;
                let output = answer.ok().and_then(Result::ok).filter(|output| output.status.success());
                let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
                text.unwrap_or_default()
            });
            let texts = futures::future::join_all(lists).await;
            let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
            // A terminal shows them as they are.
            lines.filter(|line| !line.is_empty() && escaped(line) == *line).map(str::to_owned).collect()
        })
    }

    fn lists(self) -> &'static [List] {
        match self {
            Self::Subscriptions => &[(&["account", "list"], "[].id")],
            Self::ManagementGroups => &[(&["account", "management-group", "list"], "[].name")],
            Self::ResourceGroups => &[(&["group", "list"], "[].name")],
            Self::Locations => &[(&["account", "list-locations"], "[].name")],
            Self::FunctionApps => &[(
                &["resource", "list", "--tag", "application=diskseal"],
                "[?type=='Microsoft.Web/sites'].id",
            )],
            Self::Resources => &[(&["disk", "list"], "[].id"), (&["snapshot", "list"], "[].id")],
            Self::Workspaces => &[(
                &["resource", "list", "--resource-type", "Microsoft.OperationalInsights/workspaces"],
                "[].id",
            )],
        }
    }
}
