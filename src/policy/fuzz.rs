//! What people write into settings and tags, for a fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use time::OffsetDateTime;

use super::{
    exemption::{Exemptions, TagExemption},
    listed::ListedExemptions,
    patterns::Patterns,
    tag_rule::TagRule,
};

/// The value of an exemption tag: an exemption has an end and a reason, and is read as it is written.
pub fn exemption_tag(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let exemptions = Exemptions { tag: Some("exempt".to_owned()), ..Exemptions::default() };
    let read =
        |text: &str| exemptions.by_tag(&[("exempt", text)].into_iter().collect(), OffsetDateTime::UNIX_EPOCH);
    if let Some(TagExemption::Until { date, reason }) = read(text) {
        assert!(!reason.trim().is_empty(), "an exemption without a reason: {text:?}");
        let again = read(&TagExemption::value(date, &reason));
        assert_eq!(again, Some(TagExemption::Until { date, reason }), "{text:?}");
    }
}

/// The list of exemptions: each has an end and a reason, and it is read as it is written.
pub fn exemptions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(listed) = text.parse::<ListedExemptions>() else { return };
    for one in &listed.0 {
        assert!(!one.reason.trim().is_empty() && one.lists().next().is_some(), "{text:?}");
    }
    let written = serde_json::to_string(&listed).unwrap_or_default();
    assert_eq!(written.parse(), Ok(listed), "{text:?}");
}

/// A list of globs on the first line, and a name on the second, which is compared without case.
pub fn globs(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (list, name) = text.split_once('\n').unwrap_or((text, "rg-1"));
    let Ok(patterns) = list.parse::<Patterns>() else { return };
    // The longest name of a resource group has 90 characters.
    let name: String = name.chars().take(90).collect();
    let found = patterns.matching(&name);
    let upper = crate::resource_id::folded(&name);
    assert_eq!(patterns.matching(&upper), found, "{list:?} {name:?}");
    let again = patterns.globs().collect::<Vec<_>>().join(",").parse::<Patterns>();
    assert_eq!(again.as_ref().map(|patterns| patterns.matching(&name)), Ok(found), "{list:?}");
}

/// A tag of the seal, `name=value`: what is accepted, Azure accepts, and so is the value that it fills.
pub fn tag_rule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((name, template)) = text.split_once('=') else { return };
    let Ok(rule) = TagRule::new(name, template) else { return };
    let filling = super::tag_rule::TEMPLATE_KEYS.map(|key| (key, "2026-11-26T10:00:00Z".to_owned()));
    let value = rule.value(&filling);
    assert!(rule.name().chars().count() <= 512 && value.chars().count() <= 256, "{text:?}");
    assert!(value.is_empty() || rule.accepts(&value, &filling), "{text:?}");
    assert!(rule.is_template() || rule.fixed().as_deref() == Some(value.as_str()), "{text:?}");
}
