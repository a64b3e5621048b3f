//! Access tokens as Entra issues them: JSON web tokens with the claims of the caller.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    Emulator, Options,
    refusal::Refusal,
    request::Request,
    stamp::Secret,
    write::{Caller, DEFAULT_TENANT_ID},
};

/// The input for the claims of a token.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) audience: &'a str,
    /// Claim `xms_mirid`, which only managed identities have.
    pub(crate) managed_identity: Option<&'a str>,
    pub(crate) issued: OffsetDateTime,
    pub(crate) lifetime: Duration,
}

/// A signed token.
pub(crate) fn issue(secret: &Secret, grant: &Grant<'_>) -> String {
    let Grant { caller, audience, managed_identity, issued, lifetime } = grant;
    let issued = issued.unix_timestamp();
    let mut claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{}/", caller.tenant_id),
        "iat": issued,
        "nbf": issued,
        "exp": issued + i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 2),
        "appid": caller.app_id,
        "appidacr": if caller.is_user { "0" } else { "2" },
        "idp": format!("https://sts.windows.net/{}/", caller.tenant_id),
        "idtyp": if caller.is_user { "user" } else { "app" },
        "oid": caller.object_id,
        "sub": caller.object_id,
        "tid": caller.tenant_id,
        "uti": uuid::Uuid::new_v4().simple().to_string(),
        "ver": "1.0",
    });
    if let Some(name) = &caller.name {
        claims["name"] = Value::from(name.as_str());
    }
    if let Some(id) = managed_identity {
        claims["xms_mirid"] = Value::from(*id);
    }
    let header = json!({"typ": "JWT", "alg": "HS256", "kid": "local"});
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = secret.stamp(&signed, 32);
    format!("{signed}.{signature}")
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The holder that a token names, even if the token is invalid. Load generators send opaque tokens; they
/// count as one principal.
pub(crate) fn claimed_caller(token: &str) -> Caller {
    let claims = claims(token).unwrap_or_default();
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Caller {
        object_id: text("oid").unwrap_or_else(|| "00000000-0000-0000-0000-000000000000".to_owned()),
        app_id: text("appid").unwrap_or_else(|| "00000000-0000-0000-0000-000000000000".to_owned()),
        name: text("name"),
        tenant_id: text("tid").unwrap_or_else(|| DEFAULT_TENANT_ID.to_owned()),
        is_user: text("idtyp").as_deref() == Some("user"),
    }
}

/// The caller that the request's token proves.
pub(crate) fn authenticate(
    options: &Options,
    secret: &Secret,
    now: OffsetDateTime,
    request: &Request,
) -> Result<Caller, Refusal> {
    let invalid = |code: &str, message: &str| Err(Refusal::unauthorized(code, message, "invalid_token"));
    let Some(token) = request.bearer() else {
        return invalid(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        );
    };
    if options.accept_any_token {
        return Ok(claimed_caller(token));
    }
    let signed = token.rsplit_once('.').filter(|(signed, signature)| secret.stamp(signed, 32) == *signature);
    let (Some(_), Some(claims)) = (signed, claims(token)) else {
        return invalid("InvalidAuthenticationToken", "The access token is invalid.");
    };
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|end| end <= now.unix_timestamp()) {
        return Err(Refusal::expired_token());
    }
    let audience = claims.get("aud").and_then(Value::as_str).unwrap_or_default();
    let known =
        |allowed: &String| allowed.trim_end_matches('/').eq_ignore_ascii_case(audience.trim_end_matches('/'));
    if !options.audiences.iter().any(known) {
        let message = "The access token has been obtained for wrong audience or resource. It should exactly match \
                       with one of the allowed audiences.";
        return invalid("InvalidAuthenticationTokenAudience", message);
    }
    let caller = claimed_caller(token);
    if !caller.tenant_id.eq_ignore_ascii_case(&options.tenant_id) {
        let message = "The access token is from the wrong issuer. It must match the tenant associated with this \
                       subscription.";
        return invalid("InvalidAuthenticationTokenTenant", message);
    }
    Ok(caller)
}

impl Emulator {
    /// A token for Resource Manager or another audience, valid for [`Options::token_lifetime`].
    pub fn token_for(&self, caller: &Caller, audience: &str) -> String {
        self.token_for_lifetime(caller, audience, self.inner.options.token_lifetime)
    }

    /// The same, valid for this long.
    pub fn token_for_lifetime(&self, caller: &Caller, audience: &str, lifetime: Duration) -> String {
        let issued = self.inner.clock.now();
        issue(&self.inner.secret, &Grant { caller, audience, managed_identity: None, issued, lifetime })
    }
}
