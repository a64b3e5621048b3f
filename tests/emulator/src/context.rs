//! One request on its way through Resource Manager.

use serde_json::Value;

use crate::{
    answer::Answer,
    fault::Course,
    refusal::{Refusal, Subject},
    request::Request,
    route::Route,
    throttle::Remaining,
    write::{Caller, ResourceWrite},
};

/// A request, its properties, and the effects of a fault on it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) request: Request,
    pub(crate) route: Route,
    pub(crate) caller: Caller,
    pub(crate) correlation_id: String,
    /// The version of the request, after the check.
    pub(crate) api_version: String,
    pub(crate) course: Option<Course>,
    pub(crate) stale: bool,
    pub(crate) remaining: Remaining,
}

impl Context {
    /// The values that a refusal of this request can name.
    pub(crate) fn subject(&self) -> Subject {
        let id = self.route.resource();
        let verb = match self.request.method.as_str() {
            "GET" => "read",
            "DELETE" => "delete",
            "POST" => "action",
            _ => "write",
        };
        let type_name = id.map(|id| id.kind.type_name()).or(self.route.machine_type()).unwrap_or_default();
        let action = match self.route {
            Route::Tags(_) => format!("Microsoft.Resources/tags/{verb}"),
            Route::Access(_, true) => format!("{type_name}/beginGetAccess/action"),
            Route::Access(_, false) => format!("{type_name}/endGetAccess/action"),
            Route::Group { .. } => format!("Microsoft.Resources/subscriptions/resourceGroups/{verb}"),
            Route::Logs(_) => "Microsoft.OperationalInsights/workspaces/query/read".to_owned(),
            _ => format!("{type_name}/{verb}"),
        };
        Subject {
            id: id.map_or_else(|| self.request.path.clone(), ToString::to_string),
            name: id.map(|id| id.name.clone()).unwrap_or_default(),
            type_name: type_name.to_owned(),
            group: match &self.route {
                Route::GroupList { group, .. } | Route::Group { group, .. } => group.clone(),
                _ => id.map(|id| id.group.clone()).unwrap_or_default(),
            },
            subscription: self.route.subscription().unwrap_or_default().to_owned(),
            action,
            verb: match verb {
                "action" => "write",
                verb => verb,
            },
            object_id: self.caller.object_id.clone(),
            app_id: self.caller.app_id.clone(),
        }
    }

    pub(crate) fn refuse(&self, refusal: &Refusal) -> Answer {
        refusal.answer(&self.subject())
    }

    /// The body as a JSON object.
    pub(crate) fn body(&self) -> Result<Value, Refusal> {
        let content_type = self.request.header("content-type").unwrap_or_default();
        if !content_type.to_ascii_lowercase().starts_with("application/json") {
            let message = format!(
                "The content media type '{content_type}' is not supported. Only 'application/json' is supported."
            );
            return Err(Refusal::new(415, "UnsupportedMediaType", &message));
        }
        match serde_json::from_slice::<Value>(&self.request.body) {
            Ok(body) if body.is_object() => Ok(body),
            Ok(_) => Err(invalid_content("it is not an object")),
            Err(error) => Err(invalid_content(&error.to_string())),
        }
    }

    /// The event to raise when this write has ended.
    pub(crate) fn write(&self, resource_id: String) -> ResourceWrite {
        ResourceWrite {
            resource_id,
            subscription_id: self.route.subscription().unwrap_or_default().to_owned(),
            operation_name: match (&self.route, self.request.method.as_str()) {
                // Removing all tags is a separate action.
                (Route::Tags(_), "DELETE") => "Microsoft.Resources/tags/delete".to_owned(),
                _ => self.subject().action,
            },
            method: self.request.method.to_string(),
            url: self.request.url(),
            caller: self.caller.clone(),
            correlation_id: self.correlation_id.clone(),
            at: time::OffsetDateTime::UNIX_EPOCH,
            succeeded: false,
        }
    }
}

fn invalid_content(why: &str) -> Refusal {
    let message = format!("The request content was invalid and could not be deserialized: '{why}'.");
    Refusal::new(400, "InvalidRequestContent", &message)
}
