//! Tests of the list of calls.

use super::*;

#[test]
fn every_constant_is_in_the_list() {
    let constants = |text: &str| text.matches(": Api =").count();
    let count = constants(include_str!("../api.rs")) + constants(include_str!("monitor.rs"));
    assert_eq!(ALL.len(), count);
}

#[test]
fn an_answer_about_one_resource_is_shorter_than_a_page() {
    let pages: Vec<_> = ALL.iter().filter(|api| api.answer_bytes_max() == PAGE_BYTES_MAX).collect();
    let one = [&DISK, &SNAPSHOT_UPDATE, &OPERATION, &TAGS, &TAGS_MERGE, &MACHINE, &INSTANCE, &CONTAINER];
    assert!(one.iter().all(|api| api.answer_bytes_max() == RESOURCE_BYTES_MAX));
    for api in [&DISKS, &SNAPSHOTS, &MACHINES, &INSTANCES, &QUERY, &SUBSCRIPTIONS, &DESCENDANTS, &PERMISSIONS]
    {
        assert!(pages.contains(&&api), "{}", api.template);
    }
}

#[test]
fn the_provider_is_that_of_the_template_and_of_the_action() {
    for api in ALL {
        let named = api
            .template
            .rsplit_once("/providers/")
            .map_or(RESOURCES, |(_, rest)| rest.split('/').next().unwrap_or_default());
        assert_eq!(api.provider, named, "{}", api.template);
        if let Some(action) = api.action {
            assert!(action.starts_with(&format!("{named}/")), "{action}");
        }
    }
}
