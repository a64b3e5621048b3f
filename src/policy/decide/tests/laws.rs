//! Laws of `decide`.

use proptest::{option, prelude::*};

use super::*;

fn any_tags() -> impl Strategy<Value = Tags> {
    let name = prop_oneof![
        3 => "[a-z]{1,6}",
        1 => Just("diskseal-auth-mode".to_owned()),
        1 => Just("Diskseal-Sealed-At".to_owned()),
    ];
    let value = prop_oneof![Just("AzureActiveDirectory".to_owned()), "[a-z]{0,4}"];
    prop::collection::vec((name, value), 0..55).prop_map(|tags| tags.into_iter().take(50).collect())
}

prop_compose! {
    fn any_resource()(
        mode in prop_oneof![Just("None"), Just("AzureActiveDirectory"), Just("Other")],
        state in option::of(prop_oneof![Just("Succeeded"), Just("Failed")]),
        tags in any_tags(),
    ) -> Resource {
        Resource {
            id: id(),
            location: None,
            data_access_auth_mode: mode.to_owned().into(),
            provisioning_state: state.map(str::to_owned),
            disk_state: None,
            create_option: None,
            completion_percent: None,
            held_by: vec![],
            source: None,
            time_created: None,
        network_access_policy: None,
        public_network_access: None,
        has_disk_access: false,
            unreadable: vec![],
            tags,
        }
    }
}

fn applied(resource: &Resource, change: &Change) -> Resource {
    Resource {
        data_access_auth_mode: change
            .data_access_auth_mode
            .clone()
            .unwrap_or_else(|| resource.data_access_auth_mode.clone()),
        tags: resource.tags.merged(&change.tags),
        ..resource.clone()
    }
}

proptest! {
    #[test]
    fn a_resource_is_compliant_after_its_own_change(resource in any_resource(), minutes in 0..1_000_000_i64) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            let later = Occasion { now: occasion().now + time::Duration::minutes(minutes), ..occasion() };
            prop_assert_eq!(decide(&policy(), &applied(&resource, &change), &later), Decision::Compliant);
        }
    }

    #[test]
    fn a_crash_between_the_two_writes_is_mended_by_the_next_look(resource in any_resource()) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            let half = applied(&resource, &Change { tags: Tags::default(), ..change.clone() });
            let whole = match decide(&policy(), &half, &occasion()) {
                Decision::Seal(rest) => {
                    prop_assert_eq!(&rest.data_access_auth_mode, &None);
                    applied(&half, &rest)
                }
                Decision::Compliant => half,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            prop_assert_eq!(decide(&policy(), &whole, &occasion()), Decision::Compliant);
        }
    }

    #[test]
    fn a_change_never_names_what_is_right_and_foreign_tags_survive(resource in any_resource()) {
        if let Decision::Seal(change) = decide(&policy(), &resource, &occasion()) {
            prop_assert!(change.data_access_auth_mode.is_some() || !change.tags.is_empty());
            prop_assert!(change.data_access_auth_mode.as_ref() != Some(&resource.data_access_auth_mode));
            for (name, value) in change.tags.iter() {
                prop_assert_ne!(resource.tags.get(name), Some(value));
            }
            let after = applied(&resource, &change);
            prop_assert!(after.tags.len() <= TAGS_MAX.max(resource.tags.len()));
            for (name, value) in resource.tags.iter().filter(|(name, _)| !name.to_lowercase().starts_with("diskseal-")) {
                prop_assert_eq!(after.tags.get(name), Some(value));
            }
        }
    }
}
