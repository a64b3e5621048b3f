//! What counts as whose time, and that nothing counts twice.

use tokio::time::sleep;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// What a look spends, measured as if metrics were exported.
async fn spent_by(look: impl Future<Output = ()>) -> Spent {
    metered(look).await.1
}

async fn waiting(time: Duration) {
    let _spending = spend(false);
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_at_once_counts_once_and_arm_goes_before_a_wait() {
    let spent = spent_by(async {
        sleep(MS).await;
        request(sleep(10 * MS)).await;
        waiting(100 * MS).await;
        // 1 s of ARM, within 2 s in which something else waits; two requests overlap.
        futures::join!(waiting(2_000 * MS), request(sleep(1_000 * MS)), request(sleep(500 * MS)));
    });
    assert_eq!(spent.await, Spent { arm: 1_010 * MS, wait: 1_100 * MS });
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_ends_then() {
    let spent = spent_by(async {
        let _ = tokio::time::timeout(3 * MS, request(sleep(50 * MS))).await;
        sleep(7 * MS).await;
    });
    assert_eq!(spent.await, Spent { arm: 3 * MS, wait: Duration::ZERO });
}

#[tokio::test(start_paused = true)]
async fn an_invocation_has_spent_what_came_before_its_looks() {
    assert_eq!(spent(), Spent::default(), "nothing is measured here");
    let invocation = spent_by(async {
        waiting(5 * MS).await;
        request(sleep(MS)).await;
        let before = Spent { arm: MS, wait: 5 * MS };
        assert_eq!(spent(), before);
        let look = spent_by(request(sleep(7 * MS))).await;
        assert_eq!(look + spent(), Spent { arm: 8 * MS, wait: 5 * MS });
    });
    assert_eq!(invocation.await, Spent { arm: MS, wait: 5 * MS });
}

#[test]
fn the_parts_add_up_to_the_whole_whatever_the_clocks_say() {
    let times = [0.0, 0.25, 1.0, 2.0, 1e6];
    for (whole, here, arm, wait) in
        times.iter().flat_map(|a| times.iter().flat_map(move |b| times.map(|c| (*a, *b, c, 0.5))))
    {
        let spent = Spent { arm: Duration::from_secs_f64(arm), wait: Duration::from_secs_f64(wait) };
        for triggered in [None, Some(-3.0), Some(0.5), Some(1e9)] {
            let parts = parts(whole, here, triggered, spent);
            assert!(parts.iter().all(|(_, seconds)| (0.0..=whole).contains(seconds)), "{parts:?}");
            let sum: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
            assert!((sum - whole).abs() < 1e-6, "{sum} and {whole}: {parts:?}");
            assert_eq!(parts.iter().any(|(part, _)| *part == Part::Host), triggered.is_some());
        }
    }
}

#[test]
fn each_part_is_what_it_says() {
    let spent = Spent { arm: Duration::from_millis(500), wait: Duration::from_millis(125) };
    let expected =
        [(Part::Delivery, 2.0), (Part::Host, 1.0), (Part::Arm, 0.5), (Part::Wait, 0.125), (Part::Own, 0.375)];
    assert_eq!(parts(4.0, 1.0, Some(2.0), spent), expected);
}
