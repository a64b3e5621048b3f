//! The activity log of a subscription, page by page.

use azure_core::http::Url;
use serde_json::value::RawValue;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{Client, Error, api::ACTIVITY_LOG, list::NextPage, pages::Trail};
use crate::azure::Terms;

/// One page of events.
#[derive(Debug)]
pub struct ActivityPage {
    /// The events, with the claims of their callers: nothing of them is to be logged.
    pub events: Vec<Box<RawValue>>,
    next: Option<NextPage>,
    trail: Trail,
}

impl Client {
    /// The first page of what happened to resources of the Compute provider between two times.
    pub async fn activity(
        &self,
        subscription_id: &str,
        since: OffsetDateTime,
        until: OffsetDateTime,
        terms: Terms,
    ) -> Result<ActivityPage, Error> {
        let path = format!(
            "/subscriptions/{subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
        );
        let mut url = self.url(&path, &ACTIVITY_LOG);
        // One of the few forms of a filter that Azure takes ("Activity Logs - List").
        let filter = format!(
            "eventTimestamp ge '{}' and eventTimestamp le '{}' and resourceProvider eq 'Microsoft.Compute'",
            text(since),
            text(until)
        );
        url.query_pairs_mut()
            .append_pair("$filter", &filter)
            .append_pair("$select", "claims,eventTimestamp,operationName,resourceId,status");
        self.activity_page(subscription_id, &url, Trail::default(), terms).await
    }

    /// The page after `page`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or leads back to one before it.
    pub async fn next_activity(
        &self,
        subscription_id: &str,
        page: &ActivityPage,
        terms: Terms,
    ) -> Result<Option<ActivityPage>, Error> {
        let Some(next) = &page.next else { return Ok(None) };
        let url = next.as_ref().map_err(Clone::clone)?;
        self.activity_page(subscription_id, url, page.trail.clone(), terms).await.map(Some)
    }

    async fn activity_page(
        &self,
        subscription_id: &str,
        url: &Url,
        mut trail: Trail,
        terms: Terms,
    ) -> Result<ActivityPage, Error> {
        trail.step(&ACTIVITY_LOG, url.as_str())?;
        let (events, next) = self.elements(&ACTIVITY_LOG, subscription_id, url, terms).await?;
        Ok(ActivityPage { events, next, trail })
    }
}

fn text(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    time.replace_nanosecond(0).unwrap_or(time).format(&Rfc3339).unwrap_or_default()
}
