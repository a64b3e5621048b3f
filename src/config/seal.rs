//! Settings of the seal: whether to write it, its tags, what leads to it and what stops it.

use super::setting::{Fallback, Setting, Use, Value, elements, meaning, names, set, word};
use crate::{
    enforce::{Attached, Grants, MachineEvents},
    policy::{BackupGuard, Mode, NETWORK_BEFORE, Network, Revoke, TagRule},
    resource::tags::TAGS_MAX,
    resource_id,
};

pub(super) const ALL: &[Setting] =
    &[MODE, TAGS, NETWORK, BACKUP_GUARD, ATTACHED, MACHINE_EVENTS, GRANTS, REVOKE, SWITCH];

const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];

const MODE: Setting = Setting {
    name: "DISKSEAL_MODE",
    flag: "mode",
    value: Value::Words(|| names(&MODES)),
    help: "Seal what is unsealed (enforce), or only report it (audit).\n\
           In audit mode Diskseal changes no resource.",
    default: Fallback::Text("enforce"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.mode, meaning(&MODES, text)),
    show: |config| word(&MODES, config.policy.mode),
};

const TAGS: Setting = Setting {
    name: "DISKSEAL_TAGS",
    flag: "tags",
    value: Value::Text("NAME=VALUE,..."),
    help: "Tags of the seal.\n\
           A value may contain {sealed_at}, {event_time}, {trace_id} and {trigger} (what first named the resource: event, \
           sweep or command), which are filled in when the resource is sealed and then kept. The word none stands for no tags.",
    default: Fallback::Text(
        "diskseal-auth-mode=AzureActiveDirectory,diskseal-sealed-at={sealed_at},diskseal-sealed-by={trigger}",
    ),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.tags, tag_rules(text)),
    show: |config| {
        let tag = |rule: &TagRule| format!("{}={}", rule.name(), rule.template());
        let tags: Vec<_> = config.policy.tags.iter().map(tag).collect();
        Some(if tags.is_empty() { "none".to_owned() } else { tags.join(",") })
    },
};

fn tag_rules(list: &str) -> Result<Vec<TagRule>, String> {
    if list.eq_ignore_ascii_case("none") {
        return Ok(vec![]);
    }
    let mut rules: Vec<TagRule> = vec![];
    for pair in elements(list) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("{pair:?} is not NAME=VALUE; the word none stands for no tags"))?;
        let rule = TagRule::new(name.trim(), value.trim()).map_err(|error| error.to_string())?;
        if rules.iter().any(|earlier| resource_id::is_same(earlier.name(), rule.name())) {
            return Err(format!("the tag {:?} is listed twice", rule.name()));
        }
        if resource_id::is_same(NETWORK_BEFORE, rule.name()) {
            return Err(format!(
                "the tag {NETWORK_BEFORE:?} keeps the network settings from before the seal"
            ));
        }
        rules.push(rule);
    }
    if rules.len() > TAGS_MAX {
        return Err(format!("{} tags are too many: Azure allows {TAGS_MAX} on a resource", rules.len()));
    }
    Ok(rules)
}

#[test]
fn tags_are_checked_against_azures_rules_before_anything_starts() {
    use super::tests::{fault, shown};
    for tags in [
        "novalue",
        "a<b=c",
        "x={nobody}",
        "x={sealed_at",
        "a=1,A=2",
        "azure-x=1",
        "=v",
        "diskseal-NETWORK-before=x",
    ] {
        fault(TAGS.name, tags);
    }
    fault(TAGS.name, &format!("a={}", "v".repeat(257)));
    let many: Vec<_> = (0..=TAGS_MAX).map(|index| format!("t{index}=v")).collect();
    fault(TAGS.name, &many.join(","));
    assert_eq!(shown(&TAGS, "NONE").as_deref(), Some("none"));
    assert_eq!(shown(&TAGS, " team=sec, trace={trace_id}").as_deref(), Some("team=sec,trace={trace_id}"));
}

const NETWORKS: [(&str, Network); 3] =
    [("off", Network::Off), ("deny-public", Network::DenyPublic), ("deny-all", Network::DenyAll)];

const NETWORK: Setting = Setting {
    name: "DISKSEAL_NETWORK",
    flag: "network",
    value: Value::Words(|| names(&NETWORKS)),
    help: "Network settings that are part of the seal.\n\
           deny-public sets publicNetworkAccess to Disabled; deny-all also sets networkAccessPolicy to DenyAll. Neither \
           changes what has a disk access resource or AllowPrivate. The tag diskseal-network-before keeps the earlier \
           settings, which unseal restores; without tags they are not kept.",
    default: Fallback::Text("off"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.network, meaning(&NETWORKS, text)),
    show: |config| word(&NETWORKS, config.policy.network),
};

const BACKUP_GUARDS: [(&str, BackupGuard); 4] = [
    ("skip", BackupGuard::Skip),
    ("network", BackupGuard::Network),
    ("warn", BackupGuard::Warn),
    ("off", BackupGuard::Off),
];

const BACKUP_GUARD: Setting = Setting {
    name: "DISKSEAL_BACKUP_GUARD",
    flag: "backup-guard",
    value: Value::Words(|| names(&BACKUP_GUARDS)),
    help: "Leave or seal disks and snapshots that a Recovery Services vault or Backup vault protects.\n\
           Azure Backup and Azure Site Recovery do not support sealed disks. skip leaves what is protected, and what \
           may be, as it is; network sets its network settings alone, by DISKSEAL_NETWORK or else as deny-public; warn seals it and logs a warning; off seals it without a check. The check covers the \
           vaults that the identity can read.",
    default: Fallback::Text("skip"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.backup_guard, meaning(&BACKUP_GUARDS, text)),
    show: |config| word(&BACKUP_GUARDS, config.policy.backup_guard),
};

const ATTACHED_WORDS: [(&str, Attached); 2] = [("seal", Attached::Seal), ("leave", Attached::Leave)];

const ATTACHED: Setting = Setting {
    name: "DISKSEAL_ATTACHED",
    flag: "attached",
    value: Value::Words(|| names(&ATTACHED_WORDS)),
    help: "Seal disks that a machine holds at their events, or leave them to the sweep.\n\
           With leave, events and the queue seal free disks and snapshots only. Sweeps and the command line seal \
           both.",
    default: Fallback::Text("seal"),
    used: Use::Always,
    read: |config, text| set(&mut config.options.attached, meaning(&ATTACHED_WORDS, text)),
    show: |config| word(&ATTACHED_WORDS, config.options.attached),
};

const MACHINE_EVENT_WORDS: [(&str, MachineEvents); 2] =
    [("on", MachineEvents::On), ("off", MachineEvents::Off)];

const MACHINE_EVENTS: Setting = Setting {
    name: "DISKSEAL_MACHINE_EVENTS",
    flag: "machine-events",
    value: Value::Words(|| names(&MACHINE_EVENT_WORDS)),
    help: "Seal the disks of a virtual machine or scale set when the machine is written.\n\
           Compute creates these disks and may raise no event for them. With off, they are left to events of their \
           own and to the sweep.",
    default: Fallback::Text("on"),
    used: Use::Always,
    read: |config, text| set(&mut config.options.machine_events, meaning(&MACHINE_EVENT_WORDS, text)),
    show: |config| word(&MACHINE_EVENT_WORDS, config.options.machine_events),
};

const GRANT_WORDS: [(&str, Grants); 2] = [("off", Grants::Off), ("on", Grants::On)];

const GRANTS: Setting = Setting {
    name: "DISKSEAL_GRANTS",
    flag: "grants",
    value: Value::Words(|| names(&GRANT_WORDS)),
    help: "Look at a disk or snapshot when access to its data is granted by a SAS URL.\n\
           Each grant (beginGetAccess) is logged with its correlation ID and counted, and an unsealed resource is \
           sealed at once. It needs an event type and two operations more in the event subscription.",
    default: Fallback::Text("off"),
    used: Use::Always,
    read: |config, text| set(&mut config.options.grants, meaning(&GRANT_WORDS, text)),
    show: |config| word(&GRANT_WORDS, config.options.grants),
};

const REVOKE_WORDS: [(&str, Revoke); 2] = [("off", Revoke::Off), ("on", Revoke::On)];

const REVOKE: Setting = Setting {
    name: "DISKSEAL_REVOKE",
    flag: "revoke",
    value: Value::Words(|| names(&REVOKE_WORDS)),
    help: "Revoke the SAS URLs that were granted before the seal.\n\
           After Diskseal has set the mode of a disk or snapshot with a valid SAS URL, it calls endGetAccess once. \
           Running exports by such URLs end. Nothing is revoked of what is exempt, of uploads, or of what a vault \
           protects or may protect; with DISKSEAL_BACKUP_GUARD=off that is everything.",
    default: Fallback::Text("off"),
    used: Use::Always,
    read: |config, text| set(&mut config.policy.revoke, meaning(&REVOKE_WORDS, text)),
    show: |config| word(&REVOKE_WORDS, config.policy.revoke),
};

const SWITCH: Setting = Setting {
    name: "DISKSEAL_SWITCH",
    flag: "switch",
    value: Value::Text("RESOURCE-ID"),
    help: "Resource, resource group or subscription whose tag diskseal=off stops all writes.\n\
           The tag is read at most once a minute, before a write. It stops every process that has this setting, \
           unseal included. If it cannot be read, it counts as it was last read, and as on before that.",
    default: Fallback::Means("none"),
    used: Use::Always,
    read: |config, text| {
        let is_scope = resource_id::is_scope(text);
        let switch = is_scope.then(|| Some(text.to_owned())).ok_or_else(|| {
            format!(
                "{text:?} is not the ID of a subscription (/subscriptions/{{id}}), resource group or resource"
            )
        });
        set(&mut config.options.switch, switch)
    },
    show: |config| config.options.switch.clone(),
};

#[test]
fn the_switch_is_on_something_that_has_an_id() {
    use super::tests::{fault, shown};
    fault(SWITCH.name, "func-diskseal");
    let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg-diskseal";
    assert_eq!(shown(&SWITCH, id).as_deref(), Some(id));
}
