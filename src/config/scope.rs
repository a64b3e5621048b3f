//! Settings of the scope: the subscriptions in it, and what is exempt, until when and why.

use super::setting::{Fallback, Setting, Use, Value, elements, set};
use crate::{
    policy::{Patterns, Rings},
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
    EXEMPTIONS,
    EXEMPT_TAG,
    EXEMPT_MAX_DAYS,
    EXEMPT_TICKET,
    OWNER_TAG,
    ENFORCE,
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

/// The setting with exemptions of which each has an end, a reason and an owner.
pub const EXEMPTIONS_NAME: &str = "DISKSEAL_EXEMPTIONS";

const EXEMPTIONS: Setting = Setting {
    name: EXEMPTIONS_NAME,
    // `report --exemptions` lists them.
    flag: "exempt-list",
    value: Value::Text("JSON"),
    help: "Exemptions with an end and a reason, a JSON array.\n\
           Each entry has until (the last day, UTC), reason, and at least one list of globs: names, resourceGroups, \
           subscriptions; owner is optional. It covers what matches all its lists: [{\"names\": [\"asr-*\"], \"until\": \
           \"2027-01-31\", \"reason\": \"INC-1234 restores\", \"owner\": \"team-x\"}]",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.exemptions.listed, text.parse()),
    show: |config| {
        let listed = &config.policy.exemptions.listed;
        (!listed.0.is_empty()).then(|| serde_json::to_string(listed).ok()).flatten()
    },
};

#[test]
fn exemptions_are_shown_as_they_are_read() {
    use super::tests::{fault, shown};
    let text = r#"[{"resourceGroups":["rg-a","RG-b*"],"names":["x"],"until":"2027-01-31","reason":"INC-1 \"a\"","owner":"ada"}]"#;
    assert_eq!(shown(&EXEMPTIONS, text).as_deref(), Some(text));
    assert_eq!(shown(&EXEMPTIONS, "[]"), None);
    let message = fault(EXEMPTIONS.name, r#"[{"names":["x"],"until":"soon","reason":"r"}]"#);
    assert!(message.contains("entry 1: until: \"soon\" is not a date"), "{message}");
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

/// A hundred years: enough for "no end", and far from the ends of the calendar.
const MAX_DAYS_MAX: u16 = 36_525;

const EXEMPT_MAX_DAYS: Setting = Setting {
    name: "DISKSEAL_EXEMPT_MAX_DAYS",
    flag: "exempt-max-days",
    value: Value::Text("DAYS"),
    help: "Number of days after which an exemption should have ended, from today on.\n\
           A whole number from 1 to 36525. A longer exemption still exempts; the report lists it, and unseal warns.",
    default: Fallback::Text("366"),
    used: Use::Always,
    read: |config, text| {
        let days = text.parse().ok().filter(|days| (1..=MAX_DAYS_MAX).contains(days));
        let message = || format!("{text:?} is not a whole number of days from 1 to {MAX_DAYS_MAX}");
        set(&mut config.policy.exemptions.demands.max_days, days.ok_or_else(message))
    },
    show: |config| Some(config.policy.exemptions.demands.max_days.to_string()),
};

#[test]
fn an_exemption_may_last_from_a_day_to_a_hundred_years() {
    use super::tests::{fault, shown};
    for text in ["0", "36526", "70000", "-1", "1.5", "a year"] {
        assert!(fault(EXEMPT_MAX_DAYS.name, text).contains("from 1 to 36525"), "{text}");
    }
    for text in ["1", "36525"] {
        assert_eq!(shown(&EXEMPT_MAX_DAYS, text).as_deref(), Some(text));
    }
}

const EXEMPT_TICKET: Setting = Setting {
    name: "DISKSEAL_EXEMPT_TICKET",
    flag: "exempt-ticket",
    value: Value::Text("REGEX"),
    help: "Regular expression that the reason of an exemption should match, for example ^INC-[0-9]+.\n\
           A match of a part is enough; ^ and $ tie it to the ends, and (?i) ignores case. An exemption without a match \
           still exempts; the report lists it, and unseal refuses to write one.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.exemptions.demands.ticket, text.parse().map(Some)),
    show: |config| config.policy.exemptions.demands.ticket.as_ref().map(|ticket| ticket.as_str().to_owned()),
};

#[test]
fn a_ticket_is_a_regular_expression_that_demands_something() {
    use super::tests::{fault, shown};
    assert!(fault(EXEMPT_TICKET.name, "INC-(").contains("not a regular expression"));
    assert!(fault(EXEMPT_TICKET.name, "(INC-.*)?").contains("demands nothing"));
    assert_eq!(shown(&EXEMPT_TICKET, "^INC-[0-9]{4,}").as_deref(), Some("^INC-[0-9]{4,}"));
}

const OWNER_TAG: Setting = Setting {
    name: "DISKSEAL_OWNER_TAG",
    flag: "owner-tag",
    value: Value::Text("NAME"),
    help: "Name of the tag with the owner of a resource, for the report.",
    default: Fallback::Text("owner"),
    used: Use::Always,
    read: |config, text| {
        let tag = tags::check_name(text).map(|()| Some(text.to_owned()));
        set(&mut config.policy.owner_tag, tag.map_err(|error| error.to_string()))
    },
    show: |config| config.policy.owner_tag.clone(),
};

const ENFORCE: Setting = Setting {
    name: "DISKSEAL_ENFORCE",
    flag: "enforce",
    value: Value::Text("RING,..."),
    help: "Rings to seal: resources that match one of them; all others stay in audit.\n\
           A ring is subscription:GLOB (by ID), resource-group:GLOB or tag:NAME=GLOB. A glob may contain *, ? and \
           [a-z]. Case does not matter. In audit mode everything is in audit.",
    default: Fallback::Means("all in scope"),
    used: Use::Always,
    read: |config, text| {
        let rings: Rings = text.parse()?;
        if let Some(glob) = rings.outside(&config.policy.scope) {
            return Err(format!("subscription:{glob} matches none of {}", SUBSCRIPTIONS.name));
        }
        config.policy.rings = rings;
        Ok(())
    },
    show: |config| Some(config.policy.rings.to_string()).filter(|rings| !rings.is_empty()),
};

#[test]
fn a_ring_lies_in_the_scope() {
    use super::tests::{fault, read, shown};
    let here = (SUBSCRIPTIONS.name, "11111111-2222-4333-8444-555555555555");
    let ring = |rings| read(&[here, (ENFORCE.name, rings)]);
    assert!(ring("subscription:1111*").is_ok() && ring("resource-group:a").is_ok());
    let faults = ring("subscription:2*").unwrap_err();
    assert!(faults.to_string().contains("matches none of DISKSEAL_SUBSCRIPTIONS"), "{faults}");
    assert!(fault(ENFORCE.name, "rg-dev").contains("resource-group:GLOB"));
    let text = "resource-group:rg-*,tag:ring=1";
    assert_eq!(shown(&ENFORCE, "Resource-Group:rg-*, tag:ring=1").as_deref(), Some(text));
}
