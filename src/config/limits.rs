//! Settings of how much is written, and how fast.

use super::setting::{Fallback, Setting, Use, Value, set};

pub(super) const ALL: &[Setting] = &[MAX_RESOURCES, MAX_PERCENT, PACE];

const MAX_RESOURCES: Setting = Setting {
    name: "DISKSEAL_MAX_RESOURCES",
    flag: "max-resources",
    value: Value::Text("NUMBER"),
    help: "Maximum number of resources that one sweep may seal.\n\
           A sweep that finds more unsealed writes nothing and fails.",
    default: Fallback::Means("no limit"),
    used: Use::Sweep,
    read: |config, text| {
        let max = text.parse().map(Some).map_err(|_| format!("{text:?} is not a whole number of resources"));
        set(&mut config.options.limits.max_resources, max)
    },
    show: |config| config.options.limits.max_resources.map(|max| max.to_string()),
};

const MAX_PERCENT: Setting = Setting {
    name: "DISKSEAL_MAX_PERCENT",
    flag: "max-percent",
    value: Value::Text("PERCENT"),
    help: "Maximum share of the resources in scope that one sweep may seal, in percent.\n\
           A whole number from 1 to 100. A sweep that finds more unsealed writes nothing and fails.",
    default: Fallback::Means("no limit"),
    used: Use::Sweep,
    read: |config, text| {
        let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
        let message = || format!("{text:?} is not a whole number from 1 to 100");
        set(&mut config.options.limits.max_percent, percent.map(Some).ok_or_else(message))
    },
    show: |config| config.options.limits.max_percent.map(|max| max.to_string()),
};

#[test]
fn percent_are_from_1_to_100() {
    use super::tests::{fault, shown};
    for text in ["0", "101", "5 %", "2.5"] {
        assert!(fault(MAX_PERCENT.name, text).contains("from 1 to 100"));
    }
    for text in ["1", "100"] {
        assert_eq!(shown(&MAX_PERCENT, text).as_deref(), Some(text));
    }
}

const PACE: Setting = Setting {
    name: "DISKSEAL_PACE",
    flag: "pace",
    value: Value::Text("NUMBER"),
    help: "Maximum number of writes per second and subscription in each process, events excluded.\n\
           Each instance of a function app is a process. The timer's sweep hands over no more than can be sealed at this \
           pace before the next one.",
    default: Fallback::Means("what Azure Resource Manager allows"),
    used: Use::Sweep,
    read: |config, text| {
        let message = |_| format!("{text:?} is not a whole number of writes per second, 1 or more");
        set(&mut config.pace, text.parse().map(Some).map_err(message))
    },
    show: |config| config.pace.map(|pace| pace.to_string()),
};
