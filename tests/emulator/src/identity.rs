//! Issues tokens: the managed-identity endpoint in both forms, App Service's and the instance metadata
//! service's, and the token endpoint of Microsoft Entra ID.

use std::collections::HashMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

use crate::{
    Emulator,
    answer::Answer,
    options::{ManagedIdentity, TokenForm},
    request::Request,
    token::{Grant, issue},
    write::Caller,
};

const APP_SERVICE: &str = "/msi/token";
const INSTANCE_METADATA: &str = "/metadata/identity/oauth2/token";

/// Follows the tenant in the path of Entra's token endpoint.
const TOKEN: &str = "/oauth2/v2.0/token";

/// Whether a path belongs to one of these endpoints.
pub(crate) fn owns(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    path.eq_ignore_ascii_case(APP_SERVICE)
        || path.eq_ignore_ascii_case(INSTANCE_METADATA)
        || tenant(path).is_some()
}

/// The tenant in the path of a token endpoint.
fn tenant(path: &str) -> Option<&str> {
    let tenant = path.strip_prefix('/')?.strip_suffix(TOKEN)?;
    (!tenant.is_empty() && !tenant.contains('/')).then_some(tenant)
}

impl Emulator {
    pub(crate) fn identity_answer(&self, request: &Request) -> Answer {
        let path = request.path.trim_end_matches('/');
        if request.method == Method::POST && tenant(path).is_some() {
            return self.entra_answer(request);
        }
        if request.method != Method::GET || !owns(path) {
            return Answer::empty(StatusCode::NOT_FOUND);
        }
        if path.eq_ignore_ascii_case(APP_SERVICE) {
            self.app_service_answer(request)
        } else {
            self.instance_metadata_answer(request)
        }
    }

    /// The client-credentials flow of "Microsoft identity platform and the OAuth 2.0 client credentials
    /// flow", with a federated assertion or a secret, neither of which is checked.
    fn entra_answer(&self, request: &Request) -> Answer {
        let form: HashMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
        let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
        let refuse = |error: &str, description: &str| {
            let body =
                json!({"error": error, "error_description": description, "correlation_id": correlation()});
            Answer::text(StatusCode::BAD_REQUEST, "application/json; charset=utf-8", body.to_string())
        };
        if given("grant_type").map(String::as_str) != Some("client_credentials") {
            return refuse(
                "unsupported_grant_type",
                "AADSTS70003: The app requested an unsupported grant type.",
            );
        }
        if given("client_assertion").or_else(|| given("client_secret")).is_none() {
            return refuse(
                "invalid_client",
                "AADSTS7000216: 'client_assertion' or 'client_secret' is required.",
            );
        }
        let client_id = given("client_id").map(String::as_str).unwrap_or_default();
        let identity = &self.inner.options.identity;
        if !identity.client_id.eq_ignore_ascii_case(client_id) {
            let description = "AADSTS700016: Application was not found in the directory.";
            return refuse("unauthorized_client", description);
        }
        let Some(audience) = given("scope").and_then(|scope| scope.strip_suffix("/.default")) else {
            return refuse("invalid_scope", "AADSTS1002012: The provided value for scope is not valid.");
        };
        let (token, issued, expires) = self.managed_token(identity, audience);
        let left = expires - issued;
        let body = json!({"token_type": "Bearer", "expires_in": left, "ext_expires_in": left, "access_token": token});
        Answer::text(StatusCode::OK, "application/json; charset=utf-8", body.to_string())
    }

    fn app_service_answer(&self, request: &Request) -> Answer {
        let refuse = |status: StatusCode, message: &str| {
            let body =
                json!({"statusCode": status.as_u16(), "message": message, "correlationId": correlation()});
            Answer::text(status, "application/json", body.to_string())
        };
        if request.header("x-identity-header") != Some(self.inner.options.identity_header.as_str()) {
            return refuse(StatusCode::UNAUTHORIZED, "Unauthorized");
        }
        if request.parameter("api-version").as_deref() != Some("2019-08-01") {
            return refuse(StatusCode::BAD_REQUEST, "The api-version is missing or not supported.");
        }
        let Some(resource) = request.parameter("resource").filter(|resource| !resource.is_empty()) else {
            return refuse(StatusCode::BAD_REQUEST, "The parameter 'resource' is missing.");
        };
        let Some(identity) = self.identity_asked_for(request) else {
            return refuse(StatusCode::BAD_REQUEST, "Unable to load requested managed identity.");
        };
        let (token, issued, expires) = self.managed_token(identity, &resource);
        tracing::debug!(issued, client_id = identity.client_id, "issued a token");
        let body = json!({
            "access_token": token,
            "expires_on": expires.to_string(),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": identity.client_id,
        });
        let body = formed(self.inner.options.token_form, body, issued, expires);
        Answer::text(StatusCode::OK, "application/json", body)
    }

    fn instance_metadata_answer(&self, request: &Request) -> Answer {
        let refuse = |description: &str| {
            let body = json!({"error": "invalid_request", "error_description": description});
            Answer::text(StatusCode::BAD_REQUEST, "application/json; charset=utf-8", body.to_string())
        };
        if request.header("metadata").is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
            return refuse("Required metadata header not specified");
        }
        if request.parameter("api-version").is_none() {
            return refuse("Required query variable 'api-version' is missing");
        }
        let Some(resource) = request.parameter("resource").filter(|resource| !resource.is_empty()) else {
            return refuse("Required query variable 'resource' is missing");
        };
        let Some(identity) = self.identity_asked_for(request) else {
            return refuse("Identity not found");
        };
        let (token, issued, expires) = self.managed_token(identity, &resource);
        let left = (expires - issued).to_string();
        let body = json!({
            "access_token": token,
            "client_id": identity.client_id,
            "expires_in": left,
            "expires_on": expires.to_string(),
            "ext_expires_in": left,
            "not_before": issued.to_string(),
            "resource": resource,
            "token_type": "Bearer",
        });
        Answer::text(StatusCode::OK, "application/json; charset=utf-8", body.to_string())
    }

    /// The identity that the request selects; without a selector, the system-assigned one.
    fn identity_asked_for(&self, request: &Request) -> Option<&ManagedIdentity> {
        type Selector = (&'static str, fn(&ManagedIdentity) -> &str);
        const SELECTORS: [Selector; 5] = [
            ("client_id", |identity| &identity.client_id),
            ("principal_id", |identity| &identity.object_id),
            ("object_id", |identity| &identity.object_id),
            ("mi_res_id", |identity| &identity.resource_id),
            ("msi_res_id", |identity| &identity.resource_id),
        ];
        let options = &self.inner.options;
        let mut known = std::iter::once(&options.identity).chain(&options.system_identity);
        for (name, value_of) in SELECTORS {
            if let Some(wanted) = request.parameter(name) {
                return known.find(|identity| value_of(identity).eq_ignore_ascii_case(&wanted));
            }
        }
        options.system_identity.as_ref()
    }

    /// A token, with its times of issue and expiry in seconds since 1970.
    fn managed_token(&self, identity: &ManagedIdentity, audience: &str) -> (String, i64, i64) {
        let options = &self.inner.options;
        let issued = self.inner.clock.now();
        let caller = Caller {
            tenant_id: options.tenant_id.clone(),
            ..Caller::app(identity.object_id.as_str(), identity.client_id.as_str())
        };
        let lifetime = options.token_lifetime;
        let managed_identity = Some(identity.resource_id.as_str());
        let token = issue(
            &self.inner.secret,
            &Grant { caller: &caller, audience, managed_identity, issued, lifetime },
        );
        let expires = (issued + lifetime).unix_timestamp();
        (token, issued.unix_timestamp(), expires)
    }

    /// The function app's identity as a caller: the one whose writes are its own echoes.
    pub fn managed_caller(&self) -> Caller {
        let options = &self.inner.options;
        Caller {
            tenant_id: options.tenant_id.clone(),
            ..Caller::app(options.identity.object_id.as_str(), options.identity.client_id.as_str())
        }
    }
}

/// The answer in one of the forms in which platforms write it.
fn formed(form: TokenForm, mut answer: Value, issued: i64, expires: i64) -> String {
    let date = |form: &time::format_description::StaticFormatDescription| {
        let moment = OffsetDateTime::from_unix_timestamp(expires).ok();
        moment.and_then(|moment| moment.format(form).ok()).unwrap_or_default()
    };
    let expiry = match form {
        TokenForm::Documented | TokenForm::Bare | TokenForm::ByteOrderMark => json!(expires.to_string()),
        TokenForm::Number => json!(expires),
        TokenForm::Fraction => json!(format!("{expires}.0")),
        TokenForm::Date => {
            json!(date(&format_description!("[month]/[day]/[year] [hour]:[minute]:[second] +00:00")))
        }
        TokenForm::TwelveHourDate => json!(date(&format_description!(
            "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] [period] +00:00"
        ))),
        TokenForm::ExpiresIn => Value::Null,
        TokenForm::Expired => json!((issued - 3_600).to_string()),
        TokenForm::Endless => return "[".repeat(16 * 1_024 * 1_024),
    };
    answer["expires_on"] = expiry;
    if let Value::Object(members) = &mut answer {
        match form {
            TokenForm::ExpiresIn => {
                members.shift_remove("expires_on");
                members.insert("expires_in".to_owned(), json!((expires - issued).to_string()));
            }
            TokenForm::Bare => {
                members.shift_remove("resource");
                members.shift_remove("token_type");
            }
            _ => {}
        }
    }
    let mark = if form == TokenForm::ByteOrderMark { "\u{feff}" } else { "" };
    format!("{mark}{answer}")
}

fn correlation() -> Value {
    Value::from(uuid::Uuid::new_v4().to_string())
}
