//! Tables and properties of `ResourceId`.

use std::hash::BuildHasher;

use proptest::prelude::*;

use super::{ParseIdError, ResourceId, ResourceType, is_scope};

const SUBSCRIPTION: &str = "11111111-2222-4333-8444-555555555555";

fn disk(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{rest}")
}

#[test]
fn names_keep_their_spelling_and_keywords_get_arms() {
    let text = "/SUBSCRIPTIONS/ABCDEF00-2222-4333-8444-555555555555/resourcegroups/Rg-App/PROVIDERS/microsoft.compute/DISKS/Disk_1";
    let id: ResourceId = text.parse().unwrap();
    assert_eq!(id.subscription_id(), "ABCDEF00-2222-4333-8444-555555555555");
    assert_eq!(id.resource_group(), "Rg-App");
    assert_eq!(id.resource_type(), ResourceType::Disk);
    assert_eq!(id.name(), "Disk_1");
    assert_eq!(
        id.to_string(),
        "/subscriptions/ABCDEF00-2222-4333-8444-555555555555/resourceGroups/Rg-App/providers/Microsoft.Compute/disks/Disk_1"
    );
}

#[test]
fn names_that_azure_allows_are_accepted() {
    let (longest, longest_group) = ("n".repeat(80), "g".repeat(90));
    for (group, name) in [
        ("rg", "d"),
        ("rg", "vm-1_OsDisk_1_0123456789abcdef"),
        ("rg", "pvc-5b1a.disk"),
        ("rg", "_d-"),
        ("rg", longest.as_str()),
        ("(rg)_.1-x", "d"),
        ("größe", "d"),
        ("กลุ่ม-ที่1", "d"),
        ("हिन्दी", "d"),
        ("cafe\u{301}", "d"),
        ("a‿b", "d"),
        ("١٢٣_क्षि", "d"),
        ("rg(x)", "Datenträger"),
        ("-rg", "диск1"),
        ("..rg", "a..b"),
        (longest_group.as_str(), "d"),
    ] {
        let text = disk(&format!("{group}/providers/Microsoft.Compute/disks/{name}"));
        assert!(text.parse::<ResourceId>().is_ok(), "{text}");
    }
}

#[test]
fn other_texts_are_refused() {
    use ParseIdError::{Name, NotADiskOrSnapshot, ResourceGroup, SubscriptionId};
    let compute = |name: &str| disk(&format!("rg/providers/Microsoft.Compute/disks/{name}"));
    let group = |name: &str| disk(&format!("{name}/providers/Microsoft.Compute/disks/d"));
    let subscription =
        |id: &str| format!("/subscriptions/{id}/resourceGroups/rg/providers/Microsoft.Compute/disks/d");
    let refused = |text: String, why| assert_eq!(text.parse::<ResourceId>().unwrap_err(), why, "{text:?}");
    for text in [
        String::new(),
        "/".into(),
        format!("/subscriptions/{SUBSCRIPTION}"),
        disk("rg"),
        disk("rg/providers/Microsoft.Compute/disks"),
        disk("rg/providers/Microsoft.Compute/virtualMachines/d"),
        disk("rg/providers/Microsoft.Storage/disks/d"),
        disk("rg//providers/Microsoft.Compute/disks/d"),
        compute("d/providers/Microsoft.Resources/tags/default"),
        compute("d/"),
        compute("d")[1..].to_owned(),
        format!("https://management.azure.com{}", compute("d")),
        format!(" {}", compute("d")),
    ] {
        refused(text, NotADiskOrSnapshot);
    }
    for name in [
        "",
        ".",
        "..",
        "d.",
        "d e",
        "d'e",
        "d;e",
        "d\\e",
        "d#x",
        "d\u{0}",
        "d\u{85}e",
        "d／x",
        "d․․",
        &"n".repeat(81),
    ] {
        refused(compute(name), Name);
    }
    for name in
        ["..%2fx", "d%2Fe", "d?api-version=1", "d\r\nHost: evil", "d\u{2028}e", "d\u{202e}e", "\u{3000}"]
    {
        refused(compute(name), Name);
    }
    for name in ["", "..", "rg.", "rg x", "rg?x", "rg%20x", "rg\u{7f}", &"g".repeat(91)] {
        refused(group(name), ResourceGroup);
    }
    let braced = "{1111111-2222-4333-8444-55555555555}";
    let plain = "11111111222243338444555555555555";
    for id in ["", "..", "not-a-guid", plain, braced, "11111111-2222-4333-8444-55555555555g"] {
        refused(subscription(id), SubscriptionId);
    }
}

#[test]
fn a_scope_is_a_subscription_or_something_in_one() {
    for scope in ["", "/resourceGroups/rg", "/resourceGroups/rg/providers/Microsoft.Web/sites/func-seal"] {
        assert!(is_scope(&format!("/subscriptions/{SUBSCRIPTION}{scope}")), "{scope}");
    }
    for scope in ["/", "/resourceGroups/..", "/resourceGroups/rg?x", "/a%2fb", "/a b", "//x", "#f"] {
        assert!(!is_scope(&format!("/subscriptions/{SUBSCRIPTION}{scope}")), "{scope}");
    }
    for text in ["", "/", "/subscriptions", "/subscriptions/x", "https://management.azure.com/subscriptions"]
    {
        assert!(!is_scope(text), "{text}");
    }
}

/// A character in another case, if that is one character.
fn single(c: char, mut other: impl Iterator<Item = char>) -> char {
    match (other.next(), other.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn percent_decode(segment: &str) -> String {
    let query: String = segment
        .chars()
        .map(|c| match c {
            '+' => "%2B".to_owned(),
            '&' => "%26".to_owned(),
            '=' => "%3D".to_owned(),
            c => c.to_string(),
        })
        .collect();
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

prop_compose! {
    fn any_id(group: &'static str)(
        subscription in "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        group in group,
        kind in prop_oneof!["disks", "snapshots"],
        name in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-]",
    ) -> String {
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}/{name}")
    }
}

proptest! {
    /// With .NET's `\w`, which Rust's exceeds by enclosing marks.
    #[test]
    fn display_is_the_inverse_of_parse(text in any_id(r"[\p{L}\p{Mn}\p{Mc}\p{Nd}\p{Pc}()\-.]{0,89}[A-Za-z0-9_)-]")) {
        let id = text.parse::<ResourceId>();
        prop_assert_eq!(id.map(|id| id.to_string()), Ok(text));
    }

    /// What is accepted is one path of a URL, with each name in one segment, and nothing else of the URL.
    #[test]
    fn no_name_changes_the_url(group in "\\PC{1,30}", name in "\\PC{1,30}") {
        let text = disk(&format!("{group}/providers/Microsoft.Compute/disks/{name}"));
        let Ok(id) = text.parse::<ResourceId>() else { return Ok(()) };
        let mut url = url::Url::parse("https://management.azure.com").unwrap();
        url.set_path(&id.to_string());
        prop_assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("management.azure.com")));
        let decoded: Vec<_> = url.path_segments().unwrap()
            .map(percent_decode).collect();
        prop_assert_eq!(format!("/{}", decoded.join("/")), text);
    }

    #[test]
    fn case_makes_no_difference_to_equality_and_hash(text in any_id("[A-Za-zÄÖÜäöüα-ωА-я0-9_().-]{0,89}[A-Za-z0-9_)-]"), flips in prop::collection::vec(any::<bool>(), 300)) {
        let flipped: String = text.chars().zip(flips.iter().cycle())
            .map(|(c, flip)| if *flip { single(c, c.to_uppercase()) } else { single(c, c.to_lowercase()) })
            .collect();
        let (a, b): (ResourceId, ResourceId) = (text.parse().unwrap(), flipped.parse().unwrap());
        prop_assert_eq!(&a, &b);
        let state = std::hash::RandomState::new();
        prop_assert_eq!(state.hash_one(&a), state.hash_one(&b));
    }

    #[test]
    fn no_text_panics_and_a_parsed_id_has_nine_segments(text in "\\PC{0,200}|(/[a-zA-Z.%?#]{0,12}){0,12}") {
        if let Ok(id) = text.parse::<ResourceId>() {
            prop_assert_eq!(id.to_string().split('/').count(), 9);
        }
    }
}
