//! The time to seal, by tags and `timeCreated` alone.

use time::macros::datetime;

use super::*;

const CREATED: &str = "2026-12-30T10:00:00.25Z";

fn policy() -> Policy {
    let tags = [("sealed", "yes"), ("at", "{sealed_at}"), ("by", "on {trigger}")];
    Policy {
        tags: tags.iter().map(|(name, template)| TagRule::new(name, template).unwrap()).collect(),
        exemptions: Exemptions { names: "tmp-*".parse().unwrap(), ..Exemptions::default() },
        ..Policy::default()
    }
}

/// Name, time of creation, whether it has the mode, tags.
type Created<'a> = (&'a str, &'a str, bool, &'a [(&'a str, &'a str)]);

/// The delays of resources with these times of creation and tags.
fn delays(resources: &[Created<'_>]) -> Delays {
    let mut report = empty();
    for (name, created, is_sealed, tags) in resources {
        let mut resource = resource(name, *is_sealed, tags);
        resource.time_created =
            OffsetDateTime::parse(created, &time::format_description::well_known::Rfc3339).ok();
        report.add(&Entry::new(&policy(), &resource, &Protection::Unprotected, report.taken_at()));
    }
    report.delays().clone()
}

#[test]
fn what_no_event_has_sealed_is_counted_and_named_with_its_delay() {
    let delays = delays(&[
        ("by-event", CREATED, true, &[("at", "2026-12-30T10:00:03Z"), ("by", "on event")]),
        ("same-second", CREATED, true, &[("at", "2026-12-30T10:00:00Z"), ("by", "on event")]),
        ("lost", CREATED, true, &[("at", "2026-12-30T11:00:00Z"), ("by", "on sweep")]),
        ("by-hand", CREATED, true, &[("at", "2026-12-30T10:10:00Z"), ("by", "on command")]),
        ("upgraded", CREATED, true, &[("at", "2026-12-30T10:00:05Z")]),
        ("odd", CREATED, true, &[("at", "2026-12-30T10:00:05Z"), ("by", "on whim")]),
        ("had-it", CREATED, true, &[("at", "before 2026-12-30T10:00:05Z"), ("by", "on sweep")]),
        ("copy", CREATED, true, &[("at", "2026-11-30T10:00:05Z"), ("by", "on sweep")]),
        ("open", CREATED, false, &[]),
        ("tmp-1", CREATED, false, &[]),
        ("older", "2026-11-01T10:00:00Z", true, &[("at", "2026-12-30T11:00:00Z"), ("by", "on sweep")]),
        ("future", "2027-01-02T10:00:00Z", true, &[("at", "2027-01-02T11:00:00Z"), ("by", "on sweep")]),
        ("timeless", "soon", true, &[("at", "2026-12-30T11:00:00Z"), ("by", "on sweep")]),
    ]);
    let Delays { event, sweep, command, unknown, before, unsealed, .. } = delays;
    assert_eq!([event, sweep, command, unknown, before, unsealed], [2, 1, 1, 2, 2, 1]);
    let named: Vec<_> = delays
        .not_by_event()
        .into_iter()
        .map(|one| (one.id.rsplit('/').next().unwrap().to_owned(), one.sealed_by, one.seconds))
        .collect();
    assert_eq!(
        named,
        [("lost".to_owned(), "sweep", Some(3_599)), ("by-hand".to_owned(), "command", Some(599))]
    );
    assert_eq!(delays.percentiles(), Some(Percentiles { median: 4, p95: 3_599, worst: 3_599 }));
    assert_eq!(
        delays.phrase(),
        "6 sealed, 2 after no event, 2 after something that no tag shows: median 4 s, 95th percentile 59 min 59 s, worst 59 min 59 s"
    );
}

#[test]
fn without_tags_nothing_is_claimed() {
    let delays = delays(&[("a", CREATED, true, &[])]);
    assert_eq!((delays.unknown, delays.missed(), delays.percentiles()), (1, 0, None));
    assert_eq!(
        delays.phrase(),
        "1 sealed, 0 after no event, 1 after something that no tag shows; no tag has the time of a seal"
    );
}

#[test]
fn the_window_ends_where_it_should() {
    let of = |created: OffsetDateTime| {
        let mut report = empty();
        let mut sealed = resource("a", true, &[("at", "2026-12-30T11:00:00Z"), ("by", "on sweep")]);
        sealed.time_created = Some(created);
        report.add(&Entry::new(&policy(), &sealed, &Protection::Unprotected, report.taken_at()));
        report.delays().missed()
    };
    let since = datetime!(2026-12-02 12:00 UTC);
    assert_eq!([of(since), of(since - time::Duration::seconds(1))], [1, 0]);
}
