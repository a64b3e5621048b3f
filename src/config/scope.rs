//! Settings of the scope: the subscriptions in it, and what is exempt.

use super::setting::{Fallback, Setting, Use, Value, elements, set};
use crate::{
    policy::Patterns,
    resource::tags,
    resource_id::is_subscription_id,
    scope::{Scope, is_management_group_id},
};

/// Subscriptions before the management group, which checks that none are set.
pub(super) const ALL: &[Setting] = &[
    SUBSCRIPTIONS,
    MANAGEMENT_GROUP,
    EXEMPT_SUBSCRIPTIONS,
    EXEMPT_RESOURCE_GROUPS,
    EXEMPT_NAMES,
    EXEMPT_TAG,
];

const SUBSCRIPTIONS: Setting = Setting {
    name: "DISKSEAL_SUBSCRIPTIONS",
    flag: "subscriptions",
    value: Value::Text("GUID,..."),
    help: "Subscriptions in scope.",
    default: Fallback::Means("all that the identity can read"),
    used: Use::Always,
    read: |config, text| {
        let message = |id| format!("{id:?} is not a subscription ID (a GUID)");
        let id = |id| is_subscription_id(id).then(|| id.to_owned()).ok_or_else(|| message(id));
        let ids: Vec<_> = elements(text).map(id).collect::<Result<_, _>>()?;
        if !ids.is_empty() {
            config.policy.scope = Scope::Subscriptions(ids);
        }
        Ok(())
    },
    show: |config| match &config.policy.scope {
        Scope::Subscriptions(ids) => Some(ids.join(",")),
        Scope::Visible | Scope::ManagementGroup(_) => None,
    },
};

const MANAGEMENT_GROUP: Setting = Setting {
    name: "DISKSEAL_MANAGEMENT_GROUP",
    flag: "management-group",
    value: Value::Text("ID"),
    help: "Management group whose subscriptions are in scope, at any depth.\n\
           The ID is the last segment of the group's resource ID. Cannot be combined with --subscriptions.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| {
        if !is_management_group_id(text) {
            return Err(format!(
                "{text:?} is not the ID of a management group (the last segment of its resource ID)"
            ));
        }
        if config.policy.scope != Scope::Visible {
            return Err(format!("cannot be combined with {}; set one of the two", SUBSCRIPTIONS.name));
        }
        config.policy.scope = Scope::ManagementGroup(text.to_owned());
        Ok(())
    },
    show: |config| match &config.policy.scope {
        Scope::ManagementGroup(id) => Some(id.clone()),
        Scope::Visible | Scope::Subscriptions(_) => None,
    },
};

#[test]
fn the_scope_is_subscriptions_or_a_management_group_and_never_both() {
    use super::{Faults, tests::read};
    let subscriptions = (SUBSCRIPTIONS.name, "11111111-2222-4333-8444-555555555555");
    let group = (MANAGEMENT_GROUP.name, "mg-prod");
    let scope = |pairs: &[(&str, &str)]| read(pairs).unwrap().policy.scope;
    assert_eq!(scope(&[]), Scope::Visible);
    assert_eq!(scope(&[subscriptions]), Scope::Subscriptions(vec![subscriptions.1.to_owned()]));
    assert_eq!(scope(&[group]), Scope::ManagementGroup("mg-prod".to_owned()));
    let Faults(faults) = read(&[group, subscriptions]).unwrap_err();
    assert_eq!((faults.len(), faults[0].name), (1, MANAGEMENT_GROUP.name));
    assert!(faults[0].message.contains("combined with DISKSEAL_SUBSCRIPTIONS"), "{faults:?}");
}

fn globs(patterns: &Patterns) -> Option<String> {
    let globs: Vec<_> = patterns.globs().collect();
    (!globs.is_empty()).then(|| globs.join(","))
}

const EXEMPT_SUBSCRIPTIONS: Setting = Setting {
    name: "DISKSEAL_EXEMPT_SUBSCRIPTIONS",
    flag: "exempt-subscriptions",
    value: Value::Text("GLOB,..."),
    help: "Subscriptions whose disks and snapshots are exempt, by ID.\n\
           A glob may contain *, ? and [a-z]. Case does not matter.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.exemptions.subscriptions, text.parse()),
    show: |config| globs(&config.policy.exemptions.subscriptions),
};

const EXEMPT_RESOURCE_GROUPS: Setting = Setting {
    name: "DISKSEAL_EXEMPT_RESOURCE_GROUPS",
    flag: "exempt-resource-groups",
    value: Value::Text("GLOB,..."),
    help: "Resource groups whose disks and snapshots are exempt, by name.\n\
           A glob may contain *, ? and [a-z]. Case does not matter.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.exemptions.resource_groups, text.parse()),
    show: |config| globs(&config.policy.exemptions.resource_groups),
};

const EXEMPT_NAMES: Setting = Setting {
    name: "DISKSEAL_EXEMPT_NAMES",
    flag: "exempt-names",
    value: Value::Text("GLOB,..."),
    help: "Disks and snapshots that are exempt, by name.\n\
           A glob may contain *, ? and [a-z]. Case does not matter.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.exemptions.names, text.parse()),
    show: |config| globs(&config.policy.exemptions.names),
};

#[test]
fn each_list_of_globs_is_of_its_own() {
    use super::tests::{read, shown};
    let rows = [EXEMPT_SUBSCRIPTIONS, EXEMPT_RESOURCE_GROUPS, EXEMPT_NAMES];
    for row in rows {
        assert_eq!(shown(&row, "tmp-*, asr?").as_deref(), Some("tmp-*,asr?"));
        let config = read(&[(row.name, "a")]).unwrap();
        assert_eq!(rows.iter().filter(|other| other.shown(&config).is_some()).count(), 1, "{}", row.name);
    }
}

const EXEMPT_TAG: Setting = Setting {
    name: "DISKSEAL_EXEMPT_TAG",
    flag: "exempt-tag",
    value: Value::Text("NAME"),
    help: "Name of the tag that exempts a resource until a date.\n\
           The tag's value gives the last day (UTC) and a reason: \"until=2027-01-31; INC-1234 restore test\". Whoever \
           can write tags on a resource can then exempt it.",
    default: Fallback::Means("off"),
    used: Use::Always,
    read: |config, text| {
        let tag = tags::check_name(text).map(|()| Some(text.to_owned()));
        set(&mut config.policy.exemptions.tag, tag.map_err(|error| error.to_string()))
    },
    show: |config| config.policy.exemptions.tag.clone(),
};
