//! The ID that each request carries in `x-ms-client-request-id`, by which Microsoft's support finds it.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

/// A random start for each process, and then one ID after the other, so that the kernel is asked for randomness once and
/// not for every request.
#[derive(Debug)]
pub(super) struct RequestIds {
    start: u128,
    sent: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self { start: Uuid::new_v4().as_u128(), sent: AtomicU64::default() }
    }

    pub(super) fn next(&self) -> Uuid {
        let id = self.start.wrapping_add(self.sent.fetch_add(1, Ordering::Relaxed).into());
        Builder::from_random_bytes(id.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_requests_of_any_processes_have_one_id() {
        let processes: Vec<_> = (0..50).map(|_| RequestIds::new()).collect();
        let ids: HashSet<_> = processes.iter().flat_map(|ids| (0..200).map(|_| ids.next())).collect();
        assert_eq!(ids.len(), 50 * 200);
        assert!(ids.iter().all(|id| id.get_version_num() == 4), "RFC 9562, section 5.4");
    }

    #[test]
    fn ids_stay_different_where_the_start_is_at_its_end() {
        let ids = RequestIds { start: u128::MAX - 2, sent: AtomicU64::default() };
        let few: HashSet<_> = (0..5).map(|_| ids.next()).collect();
        assert_eq!(few.len(), 5);
    }
}
