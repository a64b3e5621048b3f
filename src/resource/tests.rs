//! What is read of a body, and what of an odd one.

use super::*;

fn read(json: &str) -> Result<Resource, NotAResource> {
    let id = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
    let id = id.parse().unwrap();
    let read = Resource::from_json(&id, json.as_bytes());
    // Members that nobody reads change nothing.
    if let (Ok(read), Ok(whole)) = (&read, serde_json::from_str(json)) {
        assert_eq!(*read, Resource::from_node(&id, Node::Whole(whole)).unwrap(), "{json}");
    }
    read
}

#[test]
fn every_member_that_is_read_is_kept() {
    let disk = json!({
        "id": "/x", "name": "d", "type": "Microsoft.Compute/disks", "location": "westeurope", "sku": {"name": "P"},
        "managedBy": "/vm", "managedByExtended": ["/vm2"], "tags": {"a": "b", "c": null},
        "properties": {
            "dataAccessAuthMode": "AzureActiveDirectory", "provisioningState": "Succeeded", "diskState": "Reserved",
            "networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled",
            "diskAccessId": "/subscriptions/s/diskAccesses/a",
            "completionPercent": 7.5, "timeCreated": "2026-11-24T01:02:03Z", "diskSizeGB": 128,
            "creationData": {"createOption": "Copy", "sourceResourceId": "/s", "sourceUniqueId": "u"},
        },
    });
    let pruned = read(&disk.to_string()).unwrap();
    assert_eq!(
        pruned,
        Resource::from_node(&pruned.id, Node::Whole(disk)).unwrap(),
        "a member that is read is not kept"
    );
    // Each is filled here, so that the comparison sees it. A new one does not compile before it is.
    let Resource {
        id: _,
        location,
        data_access_auth_mode,
        provisioning_state,
        disk_state,
        create_option,
        completion_percent,
        network_access_policy,
        public_network_access,
        has_disk_access,
        held_by,
        source,
        time_created,
        unreadable,
        tags,
    } = pruned;
    assert!([location, provisioning_state, disk_state, create_option, source].iter().all(Option::is_some));
    assert!(has_disk_access);
    assert!([network_access_policy, public_network_access].iter().all(Option::is_some));
    assert_eq!(data_access_auth_mode, DataAccessAuthMode::AzureActiveDirectory);
    assert!(completion_percent.is_some() && time_created.is_some());
    assert_eq!((held_by.len(), tags.len(), unreadable.len()), (2, 2, 0));
}

#[test]
fn an_absent_mode_is_none_and_an_unknown_one_is_kept() {
    for (properties, mode) in [
        ("{}", DataAccessAuthMode::None),
        (r#"{"dataAccessAuthMode":null}"#, DataAccessAuthMode::None),
        (r#"{"dataAccessAuthMode":"None"}"#, DataAccessAuthMode::None),
        (r#"{"dataAccessAuthMode":"AzureActiveDirectory"}"#, DataAccessAuthMode::AzureActiveDirectory),
        (r#"{"dataAccessAuthMode":"azureactivedirectory"}"#, DataAccessAuthMode::AzureActiveDirectory),
        (r#"{"dataAccessAuthMode":"Passkey"}"#, DataAccessAuthMode::Other("Passkey".into())),
    ] {
        let resource = read(&format!(r#"{{"properties":{properties}}}"#)).unwrap();
        assert_eq!(resource.data_access_auth_mode, mode, "{properties}");
    }
}

#[test]
fn an_odd_create_option_or_percentage_is_no_failure() {
    for (properties, create_option, percent) in [
        ("{}", None, None),
        (r#"{"creationData":null,"completionPercent":null}"#, None, None),
        (r#"{"creationData":[1],"completionPercent":{}}"#, None, None),
        (r#"{"creationData":{"createOption":7},"completionPercent":"much"}"#, None, None),
        (r#"{"creationData":{"createOption":"Import"},"completionPercent":99.9}"#, Some("Import"), Some(99)),
        (r#"{"creationData":{"createOption":"Odd"},"completionPercent":"40"}"#, Some("Odd"), Some(40)),
        (r#"{"completionPercent":-1}"#, None, None),
        (r#"{"completionPercent":1e300}"#, None, Some(100)),
    ] {
        let resource = read(&format!(r#"{{"properties":{properties}}}"#)).unwrap();
        let got = (resource.create_option.as_deref(), resource.completion_percent);
        assert_eq!(got, (create_option, percent), "{properties}");
    }
}

#[test]
fn unknown_members_and_null_tags_are_tolerated() {
    let resource = read(
        "{\r\n  \"tags\": null,\r\n  \"sku\": {\"name\":\"Premium_LRS\"},\r\n  \"properties\": {\"new\":[1],\"provisioningState\":\"Updating\"}\r\n}",
    )
    .unwrap();
    assert!(resource.tags.is_empty());
    assert!(resource.is_provisioning());
}

#[test]
fn what_is_no_resource_is_an_error() {
    for json in ["", "[]", "{}", "null", "7", r#""text""#, r#"{"error":{"code":"X"}}"#, r#"{"id":7}"#] {
        assert!(read(json).is_err(), "{json}");
    }
}

#[test]
fn a_text_that_is_cut_in_half_makes_one_resource_unreadable() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for tag in [r#""\ud83d""#, &deep] {
        let resource = read(&format!(r#" {{"tags":{{"a":{tag}}},"properties":{{}}}}"#)).unwrap();
        assert!(resource.cannot_read(Member::Properties) && !resource.has_succeeded(), "{tag}");
    }
    assert!(read(r#"{"properties":{},"tags":{"#).is_err(), "half an answer");
}

#[test]
fn an_odd_member_is_unknown_and_hides_no_other() {
    let odd = read(
        r#"{"tags":7,"managedBy":{"id":"/vm"},"location":7,"properties":{"provisioningState":2,"diskState":[],
        "creationData":"x","timeCreated":7,"dataAccessAuthMode":"AzureActiveDirectory"}}"#,
    )
    .unwrap();
    assert!(odd.has(&DataAccessAuthMode::AzureActiveDirectory));
    assert!(!odd.has_succeeded() && !odd.has_failed() && !odd.is_provisioning());
    assert!(odd.may_be_held() && !odd.is_free_disk() && !odd.names_its_relations());
    for member in [Member::Tags, Member::ProvisioningState, Member::DiskState, Member::CreateOption] {
        assert!(odd.cannot_read(member), "{member:?}");
    }
    let empty = read(r#"{"id":"/subscriptions/x","tags":[]}"#).unwrap();
    assert!(empty.cannot_read(Member::DiskState) && !empty.cannot_read(Member::Tags));
    assert!(!empty.has(&DataAccessAuthMode::None), "unknown is not known to be open");
}

#[test]
fn only_terminal_states_end_provisioning() {
    for (state, provisioning) in [
        ("Succeeded", false),
        ("succeeded", false),
        ("Failed", false),
        ("Canceled", false),
        ("Updating", true),
        ("Creating", true),
        ("Deleting", true),
        ("SomethingNew", true),
    ] {
        let json = format!(r#"{{"properties":{{"provisioningState":"{state}"}}}}"#);
        assert_eq!(read(&json).unwrap().is_provisioning(), provisioning, "{state}");
    }
}

#[test]
fn network_settings_have_defaults_and_an_odd_form_of_them_is_not_known() {
    for (properties, policy, public, is_odd, has_disk_access) in [
        ("{}", None, None, false, false),
        (
            r#"{"networkAccessPolicy":"","publicNetworkAccess":null,"diskAccessId":""}"#,
            None,
            None,
            false,
            false,
        ),
        (
            r#"{"networkAccessPolicy":"denyall","publicNetworkAccess":"Disabled"}"#,
            Some("denyall"),
            Some("Disabled"),
            false,
            false,
        ),
        (
            r#"{"networkAccessPolicy":7,"publicNetworkAccess":"Disabled"}"#,
            None,
            Some("Disabled"),
            true,
            false,
        ),
        (r#"{"publicNetworkAccess":{}}"#, None, None, true, false),
        (r#"{"diskAccessId":"/a"}"#, None, None, false, true),
        (r#"{"diskAccessId":{"id":"/a"}}"#, None, None, false, true),
    ] {
        let resource = read(&format!(r#"{{"properties":{properties}}}"#)).unwrap();
        let values = (resource.network_access_policy.as_deref(), resource.public_network_access.as_deref());
        assert_eq!(values, (policy, public), "{properties}");
        assert_eq!(resource.cannot_read(Member::NetworkAccess), is_odd, "{properties}");
        assert_eq!(resource.has_disk_access, has_disk_access, "{properties}");
    }
}
