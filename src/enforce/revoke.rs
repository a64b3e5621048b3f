//! The end of SAS URLs that were granted before the seal. What fails here leaves the resource sealed.

use std::time::Duration;

use tracing::{Span, info, warn};

use super::{Context, Error};
use crate::{
    azure::Terms,
    resource_id::ResourceId,
    telemetry::{Wait, metrics, wait},
};

/// The waits before the reads that prove it.
const PROOF_WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(2)];
/// How long all of it may take, so that the tags have time.
const TIME: Duration = Duration::from_secs(8);

/// Revokes the SAS URLs of a resource that was sealed just now, once. Whoever used one has to ask for a new one, with the
/// rights in Microsoft Entra ID.
pub(super) async fn revoke(ctx: &Context, id: &ResourceId, terms: Terms) {
    let result = revoked(ctx, id, terms.at_most(TIME)).await;
    Span::current().record("diskseal.revoked", result.is_ok());
    metrics::revocation(id.resource_type().label(), result.as_ref().err().map(Error::reason));
    if let Err(error) = result {
        warn!(resource_id = %id, "its SAS URLs from before the seal may still be valid: {error}");
    } else {
        info!(resource_id = %id, "its SAS URLs from before the seal are revoked");
    }
}

async fn revoked(ctx: &Context, id: &ResourceId, terms: Terms) -> Result<(), Error> {
    ctx.arm.end_access(id, terms).await?;
    for pause in PROOF_WAITS {
        if !terms.allow(pause) {
            return Err(Error::Unfinished);
        }
        // The answer is a 202 without a body; the state shows the end.
        wait(Wait::Proof, tokio::time::sleep(pause)).await;
        if !ctx.arm.get(id, terms).await?.has_live_sas() {
            return Ok(());
        }
    }
    Err(Error::Unproven)
}
