//! Faults of Azure, as data.

use std::time::Duration;

use diskseal_emulator::fault::{Fault, Kind, Refusal};
use fastrand::Rng;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    ServerError(u16),
    ThrottledArm(u64),
    ThrottledCompute(u64),
    ThrottledWithoutTime,
    ThrottledGraph,
    Locked,
    DeniedByPolicy,
    NoRole,
    Conflict,
    NotAllowed,
    ExpiredToken,
    Challenge,
    OtherTenant,
    ErrorAfterApplying,
    Reset,
    ResetAfterApplying,
    Half,
    Html(u16),
    EmptyOk,
    ForeignNotFound,
    Delay(u64),
    Late(u64),
    ByteOrderMark,
    StaleRead,
    NotYetVisible(u32),
    PageLeadsToItself,
    PageNeverEnds,
    PayloadTooLarge,
    Preempted,
    OperationFails,
    OperationCanceled,
    OperationNeverEnds,
}

/// A fault: its effect, the kind of request, how often, and after how many others.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) effect: Effect,
    pub(crate) kind: Option<Kind>,
    pub(crate) times: u32,
    pub(crate) after: u32,
}

const KINDS: [Kind; 12] = [
    Kind::Get,
    Kind::Get,
    Kind::Patch,
    Kind::Patch,
    Kind::TagsWrite,
    Kind::TagsWrite,
    Kind::TagsRead,
    Kind::Poll,
    Kind::Machine,
    Kind::Query,
    Kind::List,
    Kind::Other,
];

impl Plan {
    /// Any fault.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let effect = match rng.u32(0..36) {
            0 => Effect::ServerError([500, 502, 503, 504][rng.usize(0..4)]),
            1 => Effect::ThrottledArm(rng.u64(0..90)),
            2 => Effect::ThrottledCompute(rng.u64(1..1_200)),
            3 => Effect::ThrottledWithoutTime,
            4 => Effect::ThrottledGraph,
            5 => Effect::Locked,
            6 => Effect::DeniedByPolicy,
            7 => Effect::NoRole,
            8 | 9 => Effect::Conflict,
            10 => Effect::NotAllowed,
            11 => Effect::ExpiredToken,
            12 => Effect::Challenge,
            13 => Effect::OtherTenant,
            14 | 15 => Effect::ErrorAfterApplying,
            16 => Effect::Reset,
            17 | 18 => Effect::ResetAfterApplying,
            19 => Effect::Half,
            20 => Effect::Html([200, 404, 502, 403][rng.usize(0..4)]),
            21 => Effect::EmptyOk,
            22 => Effect::ForeignNotFound,
            23 => Effect::Delay(rng.u64(1..40)),
            24 => Effect::Late(rng.u64(1..40)),
            25 => Effect::ByteOrderMark,
            26 | 27 => Effect::StaleRead,
            28 => Effect::NotYetVisible(rng.u32(1..5)),
            29 => Effect::PageLeadsToItself,
            30 => Effect::PageNeverEnds,
            31 => Effect::PayloadTooLarge,
            32 => Effect::Preempted,
            33 => Effect::OperationFails,
            34 => Effect::OperationCanceled,
            _ => Effect::OperationNeverEnds,
        };
        let kind = (rng.u32(0..8) != 0).then(|| KINDS[rng.usize(0..KINDS.len())]);
        let times = match rng.u32(0..10) {
            0..=7 => rng.u32(1..4),
            8 => rng.u32(4..20),
            _ => rng.u32(20..200),
        };
        Self { effect, kind, times, after: rng.u32(0..3) }
    }

    /// The fault for the local Azure.
    pub(crate) fn fault(&self) -> Fault {
        let refuse = |refusal| Fault::refuse(refusal);
        let fault = match self.effect {
            Effect::ServerError(status) => refuse(Refusal::server_error(status)),
            Effect::ThrottledArm(seconds) => refuse(Refusal::throttled_arm(seconds)),
            Effect::ThrottledCompute(seconds) => refuse(Refusal::throttled_compute(seconds)),
            Effect::ThrottledWithoutTime => refuse(Refusal::throttled_arm(1).without_header("retry-after")),
            Effect::ThrottledGraph => refuse(Refusal::throttled_graph("00:00:07")).on(Kind::Query),
            Effect::Locked => refuse(Refusal::scope_locked()),
            Effect::DeniedByPolicy => refuse(Refusal::disallowed_by_policy()),
            Effect::NoRole => refuse(Refusal::authorization_failed()),
            Effect::Conflict => refuse(Refusal::conflict()),
            Effect::NotAllowed => refuse(Refusal::operation_not_allowed()),
            Effect::ExpiredToken => refuse(Refusal::expired_token()),
            Effect::Challenge => refuse(Refusal::claims_challenge()),
            Effect::OtherTenant => refuse(Refusal::invalid_token_tenant()),
            Effect::ErrorAfterApplying => Fault::refuse_after_applying(Refusal::server_error(500)),
            Effect::Reset => Fault::reset(),
            Effect::ResetAfterApplying => Fault::reset_after_applying(),
            Effect::Half => Fault::half_an_answer(),
            Effect::Html(status) => Fault::html(status),
            Effect::EmptyOk => Fault::text(200, "application/json", ""),
            Effect::ForeignNotFound => Fault::text(404, "application/json", r#"{"detail":"no route"}"#),
            Effect::Delay(seconds) => Fault::delay(Duration::from_secs(seconds)),
            Effect::Late(seconds) => Fault::late(Duration::from_secs(seconds)),
            Effect::ByteOrderMark => Fault::byte_order_mark(),
            Effect::StaleRead => return Fault::stale_read().times(self.times).after(self.after),
            Effect::NotYetVisible(gets) => return Fault::not_yet_visible(gets),
            Effect::PageLeadsToItself => return Fault::page_leads_to_itself().times(self.times),
            Effect::PageNeverEnds => return Fault::page_never_ends().times(self.times),
            Effect::PayloadTooLarge => refuse(Refusal::response_payload_too_large()).on(Kind::Query),
            Effect::Preempted => return Fault::operation_preempted().times(self.times),
            Effect::OperationFails => {
                return Fault::operation_fails("InternalExecutionError", "m").times(self.times);
            }
            Effect::OperationCanceled => return Fault::operation_canceled().times(self.times),
            Effect::OperationNeverEnds => return Fault::operation_never_ends(),
        };
        let fault = match (self.effect, self.kind) {
            (Effect::ThrottledGraph | Effect::PayloadTooLarge, _) | (_, None) => fault,
            (_, Some(kind)) => fault.on(kind),
        };
        fault.times(self.times).after(self.after)
    }
}
