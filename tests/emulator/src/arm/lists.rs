//! Lists of disks and snapshots, page by page.

use std::ops::Bound;

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    Emulator,
    answer::Answer,
    context::Context,
    resource_id::{ResourceKind, folded},
};

impl Emulator {
    /// One page. The next one starts after the last id of this one, so that nothing is lost or repeated when
    /// resources come and go between two pages.
    pub(super) fn list(
        &self,
        context: &Context,
        subscription: &str,
        group: Option<&str>,
        kind: ResourceKind,
    ) -> Answer {
        let prefix = folded(&match group {
            Some(group) => {
                format!(
                    "/subscriptions/{subscription}/resourceGroups/{group}/providers/{}/",
                    kind.type_name()
                )
            }
            None => format!("/subscriptions/{subscription}/resourceGroups/"),
        });
        let token = context.request.parameter("$skiptoken");
        let after = token.as_deref().and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
        let after =
            after.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|key| key.starts_with(&prefix));
        let start = after.as_ref().map_or(Bound::Included(&prefix), Bound::Excluded);
        let most = self.inner.options.page_size.max(1);
        let mut value = Vec::new();
        let mut last = None;
        let mut more = false;
        {
            let state = self.inner.state.lock();
            let listed = state
                .resources
                .range::<String, _>((start, Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(&prefix))
                .filter(|(_, stored)| stored.id.kind == kind);
            for (key, stored) in listed {
                if value.len() == most {
                    more = true;
                    break;
                }
                let mut body = stored.body.clone();
                body["id"] = json!(stored.id.in_lists());
                value.push(body);
                last = Some(key.clone());
            }
        }
        let mut page = json!({"value": value});
        if let (true, Some(last)) = (more, last) {
            page["nextLink"] = Value::from(next_link(context, &last));
        }
        Answer::json(StatusCode::OK, &page)
    }
}

fn next_link(context: &Context, last: &str) -> String {
    let request = &context.request;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("api-version", &context.api_version)
        .append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode(last))
        .finish();
    format!("{}{}?{query}", request.origin, request.path)
}
