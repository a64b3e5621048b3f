//! The limits of tags, which are the same in a resource's body and in the tags API.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The maximum number of tags of a resource.
pub(crate) const MOST_TAGS: usize = 50;

/// Whether a set of tags is within the limits; null means none. The texts are approximated.
pub(crate) fn check_tags(tags: &Value) -> Result<(), Refusal> {
    let Some(tags) = tags.as_object() else {
        return match tags {
            Value::Null => Ok(()),
            _ => Err(Refusal::new(400, "InvalidRequestContent", "The member 'tags' is not an object.")),
        };
    };
    if tags.len() > MOST_TAGS {
        let message = format!(
            "Too many tags on the resource/resource group. Requested tag count - '{}'. Maximum number of tags \
             allowed - '{MOST_TAGS}'.",
            tags.len()
        );
        return Err(Refusal::new(400, "InvalidResourceTags", &message));
    }
    for (name, value) in tags {
        if name.chars().any(|letter| "<>%&\\?/".contains(letter) || letter.is_control()) {
            let message = format!(
                "The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
            );
            return Err(Refusal::new(400, "InvalidTagNameCharacters", &message));
        }
        if name.is_empty() || name.chars().count() > 512 {
            let message = format!("Tag name must have 1 to 512 characters: '{name}'.");
            return Err(Refusal::new(400, "InvalidTagName", &message));
        }
        match value.as_str() {
            Some(text) if text.chars().count() <= 256 => {}
            Some(_) => {
                let message =
                    format!("Tag value too large: the value of '{name}' has more than 256 characters.");
                return Err(Refusal::new(400, "InvalidTagValue", &message));
            }
            None => {
                let message = format!("The value of the tag '{name}' is not a string.");
                return Err(Refusal::new(400, "InvalidRequestContent", &message));
            }
        }
    }
    if tags
        .keys()
        .enumerate()
        .any(|(place, name)| tags.keys().skip(place + 1).any(|other| other.eq_ignore_ascii_case(name)))
    {
        return Err(Refusal::new(
            400,
            "InvalidTags",
            "Tag names are compared without regard to case: one is given twice.",
        ));
    }
    Ok(())
}

/// Sets tags in a set; names are case-insensitive. An existing name keeps its case.
pub(crate) fn merge_tags(into: &mut Map<String, Value>, tags: &Map<String, Value>) {
    for (name, value) in tags {
        match into.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value.clone(),
            None => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Removes tags with these names and values; an empty value matches any.
pub(crate) fn remove_tags(from: &mut Map<String, Value>, tags: &Map<String, Value>) {
    from.retain(|name, value| {
        !tags.iter().any(|(gone, wanted)| {
            gone.eq_ignore_ascii_case(name) && (wanted.as_str() == Some("") || wanted == value)
        })
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_kept() {
        let many: Map<_, _> = (0..=MOST_TAGS).map(|n| (n.to_string(), json!(""))).collect();
        for wrong in [
            Value::Object(many),
            json!({"a/b": ""}),
            json!({"a": "x".repeat(257)}),
            json!({"x".repeat(513): ""}),
            json!({"": ""}),
            json!({"a": 1}),
            json!({"a": "", "A": ""}),
            json!([]),
        ] {
            assert!(check_tags(&wrong).is_err(), "{wrong}");
        }
        assert!(check_tags(&json!({"x".repeat(512): "y".repeat(256)})).is_ok());
        assert!(check_tags(&Value::Null).is_ok());
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        let mut tags = json!({"Env": "dev", "x": "1", "y": "2"}).as_object().unwrap().clone();
        merge_tags(&mut tags, json!({"ENV": "prod", "new": "n"}).as_object().unwrap());
        remove_tags(&mut tags, json!({"X": "", "y": "other"}).as_object().unwrap());
        assert_eq!(Value::Object(tags), json!({"Env": "prod", "y": "2", "new": "n"}));
    }
}
