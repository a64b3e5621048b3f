//! How a report is taken, and what can make it fail.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use time::{Date, OffsetDateTime};

use super::stamp::seconds;
use crate::{policy::days_left, scope::Scope};

/// What an ID may hold and a link may not, as it is.
const IN_PORTAL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

words! {
    /// The source of the listing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Source, label of labels {
        /// Resource Graph, whose table lags behind the resources ("Keep your data fresh").
        Graph => "resource_graph",
        /// The lists of each subscription, which are exact.
        Lists => "lists",
    }
}

impl Source {
    /// A phrase for people.
    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::Graph => "Azure Resource Graph, which may lag a few minutes behind the resources",
            Self::Lists => "the lists of each subscription, which are exact",
        }
    }
}

/// When, by which identity and from which source the report was taken.
#[derive(Clone, Debug)]
pub struct Run {
    /// The time that expiries are compared with.
    pub taken_at: OffsetDateTime,
    /// The object ID of the identity, if its token has one.
    pub identity: Option<String>,
    /// The subscriptions in scope.
    pub scope: Scope,
    /// The source of the listing.
    pub source: Source,
    /// An exemption that ends within this many days is a warning.
    pub expiring_within: u16,
    /// The time from seal to creation is reported of resources that were created since then.
    pub since: OffsetDateTime,
    /// Whether the report lists sealed resources, too.
    pub is_of_all: bool,
    /// The address of the cloud's portal, without a slash at its end.
    pub portal: &'static str,
}

words! {
    /// What can make a report fail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Finding, label of labels {
        /// A resource is not sealed.
        Unsealed => "unsealed",
        /// A resource is not sealed, and cannot be sealed now.
        Pending => "pending",
        /// A sealed resource has a valid SAS URL.
        LiveSas => "live-sas",
        /// An exemption ends soon.
        Expiring => "expiring",
        /// An exemption ends later than `DISKSEAL_EXEMPT_MAX_DAYS` allows.
        ExemptTooLong => "exempt-too-long",
        /// An exemption of the settings has no end.
        ExemptWithoutEnd => "exempt-without-end",
        /// The reason of an exemption does not match `DISKSEAL_EXEMPT_TICKET`.
        ExemptWithoutTicket => "exempt-without-ticket",
        /// A new resource was sealed, and no event has led to it.
        EventMissed => "event-missed",
        /// The data of a resource is accessible from all networks.
        Network => "network",
        /// A part of the scope could not be read.
        Gap => "gap",
    }
}

impl Finding {
    /// All findings.
    pub const ALL: [Self; 10] = [
        Self::Unsealed,
        Self::Pending,
        Self::LiveSas,
        Self::Expiring,
        Self::ExemptTooLong,
        Self::ExemptWithoutEnd,
        Self::ExemptWithoutTicket,
        Self::EventMissed,
        Self::Network,
        Self::Gap,
    ];
    /// The findings that make a report fail by default.
    pub const DEFAULT: [Self; 3] = [Self::Unsealed, Self::Pending, Self::LiveSas];
}

impl Run {
    pub(super) fn taken_at_text(&self) -> String {
        seconds(self.taken_at)
    }

    /// The page of a resource in the portal.
    pub(super) fn portal_link(&self, id: &str) -> String {
        format!("{}/#resource{}", self.portal, utf8_percent_encode(id, IN_PORTAL))
    }

    /// Whole days from the day of the run to `until`.
    pub(super) fn days_left(&self, until: Date) -> i64 {
        days_left(until, self.taken_at)
    }

    /// The same, if that is soon enough for a warning.
    pub(super) fn ends_soon(&self, until: Date) -> Option<i64> {
        Some(self.days_left(until)).filter(|days| *days <= i64::from(self.expiring_within))
    }
}
