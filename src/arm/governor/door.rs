//! One door: what is known of one of ARM's quotas, and who waits for it.
//!
//! A request waits in one of three lines, each in order of arrival: what continues a seal that was begun, events,
//! everything else. Only the first of a line has a timer, so that a storm costs each of its requests the same.
//!
//! No instance knows of the others, and all draw on the same bucket. Each finds its share by what it sees:
//! - **With ARM's headers** (`x-ms-ratelimit-remaining-subscription-writes`), everything but events goes the slower
//!   the less is left above the reserve. Every instance sees the same rest, so all go at the same rate, and the rest
//!   settles where their rates add up to what ARM refills.
//! - **Without them**, each 429 halves the rate, and time without one raises it by a constant. That is how flows
//!   share a line that nobody measures ("additive increase, multiplicative decrease": Chiu and Jain, 1989).

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

use super::Kind;
use crate::azure::Urgency;

/// The shortest and the longest time that a door is closed for, whatever the answer asks for. Longer ones would
/// outlast what made them necessary, and a wrong one would lock a subscription until the process ends.
const CLOSED_MIN: Duration = Duration::from_secs(1);
const CLOSED_MAX: Duration = Duration::from_hours(1);
/// How long the door is closed after the first, second, … refusal in a row that names no time.
const UNNAMED: [u64; 4] = [2, 4, 8, 16];
/// The part of a bucket that is left to events.
const RESERVE: f64 = 0.2;
/// The part of a bucket, above the reserve, within which everything but events slows down.
const SLACK: f64 = 0.2;
/// How long what ARM's answer says of the rest counts as it is. Only after that time is a refill assumed, because
/// other instances may draw on it.
const FRESH: Duration = Duration::from_secs(1);
/// How many requests of a door may be under way before any of them is answered. Then more go one by one.
const UNKNOWN_MAX: u32 = 16;
/// The share of ARM's refill by which the learned rate rises in each second.
const RISE: f64 = 0.01;
/// The smallest learned rate, as a share of ARM's refill: that of each of forty instances, which is the smallest
/// limit that Azure Functions (Flex Consumption) allows for a function app.
const SHARE_MIN: f64 = 1.0 / 40.0;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Continues what another request has begun.
    Begun,
    /// For an event.
    Event,
    /// Everything else.
    BehindEvents,
}

impl From<Urgency> for Rank {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Event => Self::Event,
            Urgency::BehindEvents => Self::BehindEvents,
        }
    }
}

#[derive(Debug)]
pub(super) struct Door {
    kind: Kind,
    state: Mutex<State>,
    changed: Notify,
    lines: [Line; 3],
}

#[derive(Debug, Default)]
struct Line {
    /// Fair: it goes to whoever has waited longest.
    turn: tokio::sync::Mutex<()>,
    /// The tokens for which the line waits.
    tokens: AtomicU32,
}

/// A place in a line. Dropping it leaves the line.
pub(super) struct Place<'a> {
    line: &'a Line,
    tokens: u32,
}

impl Place<'_> {
    /// Waits until all who came before have left the line.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.line.turn.lock().await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.tokens.fetch_sub(self.tokens, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct State {
    closed_until: Option<Instant>,
    /// How often it was closed.
    closings: u32,
    /// How many refusals in a row named no time.
    unnamed: usize,
    /// How many tokens were left, and when, by ARM's last answer, without those that were passed out since.
    quota: Option<(f64, Instant)>,
    /// How many tokens were passed out for requests that are not sent yet.
    reserved: u32,
    /// How many requests await their answer; the quota in the last answer does not count them.
    under_way: u32,
    is_answered: bool,
    /// The learned rate in tokens per second, and when it was learned.
    rate: Option<(f64, Instant)>,
    /// When tokens were last passed out, and how many.
    last: Option<(Instant, u32)>,
    /// When the pace allows the next token.
    next: Option<Instant>,
}

impl Door {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, state: Mutex::default(), changed: Notify::new(), lines: Default::default() }
    }

    /// Completes when a wait may be shorter than it was.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(super) fn closings(&self) -> u32 {
        self.state.lock().closings
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed_until.is_some_and(|until| until > Instant::now())
    }

    /// How many tokens should be left now; none before ARM's first answer.
    pub(super) fn left(&self, now: Instant) -> Option<f64> {
        self.state.lock().left(self.kind, now, Duration::ZERO)
    }

    /// Takes the last place in a line.
    pub(super) fn enter(&self, rank: Rank, tokens: u32) -> Place<'_> {
        let line = self.line(rank);
        line.tokens.fetch_add(tokens, Ordering::Relaxed);
        Place { line, tokens }
    }

    /// How long whoever enters a line now has to wait, as far as can be seen.
    pub(super) fn forecast(&self, tokens: u32, rank: Rank, pace: Option<Duration>) -> Duration {
        let ahead = self.ahead(rank) + self.line(rank).tokens.load(Ordering::Relaxed);
        let state = self.state.lock();
        let now = Instant::now();
        let closed = state.closed(now);
        let paced = state.paced(now, tokens, pace) + pace.unwrap_or_default() * ahead;
        let refill = self.kind.refill();
        let left = state.left(self.kind, now + closed, Duration::ZERO);
        let missing = left.map_or(0.0, |left| f64::from(tokens + ahead) + self.reserve(rank) - left);
        let refilled = seconds(missing / refill);
        let learned = state.learned(self.kind, now);
        let learned = learned.map_or(Duration::ZERO, |rate| seconds(f64::from(ahead) / rate));
        closed + paced.max(refilled).max(learned)
    }

    /// Passes out tokens, or returns how long to wait before the next try.
    pub(super) fn take(&self, tokens: u32, rank: Rank, pace: Option<Duration>) -> Option<Duration> {
        let ahead = self.ahead(rank);
        let mut state = self.state.lock();
        let now = Instant::now();
        if let Some(pace) = pace {
            // Counted from when the token before was due: delays would otherwise add up to a slower pace.
            let due = state.next.filter(|next| now.saturating_duration_since(*next) < pace * tokens);
            state.next = Some(due.unwrap_or(now));
        }
        let wait = self.wait(&state, tokens, rank, ahead, pace, now);
        if !wait.is_zero() {
            return Some(wait);
        }
        state.reserved += tokens;
        state.last = Some((now, tokens));
        if state.left(self.kind, now, Duration::ZERO).is_some_and(|left| left >= self.kind.bucket()) {
            // An hour without a request leaves no more than the bucket holds.
            state.quota = Some((self.kind.bucket(), now));
        }
        if let Some((left, _)) = &mut state.quota {
            *left -= f64::from(tokens);
        }
        if let (Some(pace), Some(next)) = (pace, &mut state.next) {
            *next += pace * tokens;
        }
        None
    }

    fn wait(
        &self,
        state: &State,
        tokens: u32,
        rank: Rank,
        ahead: u32,
        pace: Option<Duration>,
        now: Instant,
    ) -> Duration {
        let kind = self.kind;
        let (wanted, reserve) = (f64::from(tokens + ahead), self.reserve(rank));
        // What others may have drawn is not known until the next answer; an event takes the chance.
        let age = if rank == Rank::BehindEvents { FRESH } else { Duration::ZERO };
        let left = state.left(kind, now, age);
        let missing = left.map_or(0.0, |left| wanted + reserve - left);
        let refilled = match state.quota {
            Some((_, at)) if missing > 0.0 => {
                (at + age).saturating_duration_since(now) + seconds(missing / kind.refill())
            }
            _ => Duration::ZERO,
        };
        let slowed = left.filter(|_| rank == Rank::BehindEvents).and_then(|left| {
            let slack = kind.bucket() * SLACK;
            (left - reserve < slack).then(|| kind.refill() * ((left - reserve) / slack).max(SHARE_MIN))
        });
        let rate = match (slowed, state.learned(kind, now)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let spaced = match (rate, state.last) {
            (Some(rate), Some((at, before))) => {
                (at + seconds(f64::from(before + ahead) / rate)).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        };
        let unanswered = state.under_way + state.reserved;
        let unknown = match state.last {
            Some((at, _)) if !state.is_answered && unanswered + tokens > UNKNOWN_MAX => {
                (at + FRESH).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        };
        let paced = state.paced(now, tokens, pace);
        state.closed(now).max(refilled).max(spaced).max(unknown).max(paced)
    }

    /// A token that was passed out is used for a request that is sent now.
    pub(super) fn send(&self) {
        let mut state = self.state.lock();
        state.reserved = state.reserved.saturating_sub(1);
        state.under_way += 1;
    }

    /// Takes back tokens that were passed out, and not used, when the door had been closed `closings` times.
    pub(super) fn give_back(&self, tokens: u32, closings: u32, pace: Option<Duration>) {
        let mut state = self.state.lock();
        state.reserved = state.reserved.saturating_sub(tokens);
        // What a closed door has left does not count them any more.
        if state.closings == closings
            && let Some((left, _)) = &mut state.quota
        {
            *left += f64::from(tokens);
        }
        if let Some((_, passed)) = &mut state.last {
            *passed = passed.saturating_sub(tokens);
        }
        if let (Some(pace), Some(next)) = (pace, state.next) {
            state.next = next.checked_sub(pace * tokens);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// A request is no longer under way.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.is_answered = true;
        drop(state);
        self.changed.notify_waiters();
    }

    /// The answer to a request that was admitted `at`, with what is left of the quota.
    pub(super) fn answered(&self, at: Instant, remaining: Option<u32>) {
        let mut state = self.state.lock();
        if state.closed_until.is_none_or(|until| until <= at) {
            state.unnamed = 0;
        }
        if let Some(remaining) = remaining {
            // The request that got this answer is still counted.
            let others = state.under_way.saturating_sub(1) + state.reserved;
            state.quota = Some((f64::from(remaining) - f64::from(others), Instant::now()));
        }
    }

    /// A 429 to a request that was admitted `at`.
    pub(super) fn refused(&self, at: Instant, retry_after: Option<Duration>) {
        let mut state = self.state.lock();
        let now = Instant::now();
        let rate = state.learned(self.kind, now).unwrap_or(self.kind.refill()).min(self.kind.refill());
        // All that were under way at once are refused at once: that is one sign, not many.
        if state.rate.is_none_or(|(_, learned)| learned <= at) {
            state.rate = Some(((rate / 2.0).max(self.kind.refill() * SHARE_MIN), now));
            if retry_after.is_none() {
                state.unnamed += 1;
            }
        }
        let unnamed = UNNAMED.get(state.unnamed.saturating_sub(1)).or(UNNAMED.last());
        let unnamed = Duration::from_secs(unnamed.copied().unwrap_or_default());
        state.close(retry_after.unwrap_or(unnamed), now);
    }

    pub(super) fn close(&self, wait: Duration) {
        self.state.lock().close(wait, Instant::now());
    }

    fn line(&self, rank: Rank) -> &Line {
        &self.lines[rank as usize]
    }

    /// The tokens for which the lines that go first wait.
    fn ahead(&self, rank: Rank) -> u32 {
        self.lines.iter().take(rank as usize).map(|line| line.tokens.load(Ordering::Relaxed)).sum()
    }

    fn reserve(&self, rank: Rank) -> f64 {
        if rank == Rank::BehindEvents { self.kind.bucket() * RESERVE } else { 0.0 }
    }
}

impl State {
    /// How many tokens should be left; a refill is assumed once what ARM said is this old.
    fn left(&self, kind: Kind, now: Instant, stale: Duration) -> Option<f64> {
        let (left, at) = self.quota?;
        let refilled = now.saturating_duration_since(at + stale).as_secs_f64() * kind.refill();
        Some((left + refilled).min(kind.bucket()))
    }

    /// The learned rate, which rises with time; none once it is above anything that one instance may need.
    fn learned(&self, kind: Kind, now: Instant) -> Option<f64> {
        let (rate, at) = self.rate?;
        let rate = rate + now.saturating_duration_since(at).as_secs_f64() * kind.refill() * RISE;
        (rate < kind.refill() * 2.0).then_some(rate)
    }

    fn closed(&self, now: Instant) -> Duration {
        self.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// How long until the pace allows the last of so many tokens.
    fn paced(&self, now: Instant, tokens: u32, pace: Option<Duration>) -> Duration {
        let Some(pace) = pace else { return Duration::ZERO };
        let next = self.next.unwrap_or(now);
        (next + pace * tokens.saturating_sub(1)).saturating_duration_since(now)
    }

    fn close(&mut self, wait: Duration, now: Instant) {
        let until = now + wait.clamp(CLOSED_MIN, CLOSED_MAX);
        let until = self.closed_until.map_or(until, |earlier| earlier.max(until));
        self.closed_until = Some(until);
        self.closings = self.closings.wrapping_add(1);
        // An empty bucket, so that the waiting requests do not all start at once.
        self.quota = Some((0.0, until));
    }
}

/// A time of so many seconds, within what a door may ask for.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(CLOSED_MAX).min(CLOSED_MAX)
}
