//! The members of a JSON text that somebody reads. All others are skipped where they stand: an event or a disk has
//! dozens, of which a handful is read.

use std::fmt;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::SeqAccessDeserializer,
    },
};
use serde_json::Value;

/// What is kept of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// All of it.
    Whole,
    /// These members of an object, each with what is kept of it. A value that is no object is kept as it is. Of two
    /// members with one name, the last one counts.
    Members(&'static [(&'static str, Kept)]),
}

/// A JSON value of which some members were kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A value as it is.
    Whole(Value),
    /// The members of an object that are kept, without a map and names of their own: there are few.
    Members(Vec<(&'static str, Node)>),
}

impl Node {
    /// Whether there is a member of this name, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Whole(value) => value.get(name).is_some(),
            Self::Members(members) => members.iter().any(|(known, _)| *known == name),
        }
    }

    /// The text of a member that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self {
            Self::Whole(value) => value.get(name)?.as_str(),
            Self::Members(members) => match members.iter().find(|(known, _)| *known == name)? {
                (_, Self::Whole(value)) => value.as_str(),
                (_, Self::Members(_)) => None,
            },
        }
    }

    /// Takes a member of an object out of it; `null` if there is none.
    #[must_use]
    pub fn take(&mut self, name: &str) -> Self {
        match self {
            Self::Whole(value) => Self::Whole(value.get_mut(name).map(Value::take).unwrap_or_default()),
            Self::Members(members) => members
                .iter_mut()
                .find(|(known, _)| *known == name)
                .map_or(Self::Whole(Value::Null), |(_, node)| {
                    std::mem::replace(node, Self::Whole(Value::Null))
                }),
        }
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        match self {
            Self::Whole(value) => value.is_object(),
            Self::Members(_) => true,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Whole(Value::Null))
    }
}

impl From<Node> for Value {
    fn from(node: Node) -> Self {
        match node {
            Node::Whole(value) => value,
            Node::Members(members) => {
                members.into_iter().map(|(name, node)| (name.to_owned(), Self::from(node))).collect()
            }
        }
    }
}

impl Kept {
    /// Reads this part of a JSON text.
    ///
    /// # Errors
    /// It is not JSON. Of a text that is skipped it is not checked whether all its characters are whole.
    pub fn of(self, json: &[u8]) -> serde_json::Result<Node> {
        // One look at all of the text costs less than one at each of its texts.
        if let Ok(json) = std::str::from_utf8(json) {
            return self.read(&mut serde_json::Deserializer::from_str(json));
        }
        self.read(&mut serde_json::Deserializer::from_slice(json))
    }

    fn read<'de, R: serde_json::de::Read<'de>>(
        self,
        reader: &mut serde_json::Deserializer<R>,
    ) -> serde_json::Result<Node> {
        let node = self.deserialize(&mut *reader)?;
        reader.end()?;
        Ok(node)
    }
}

impl<'de> DeserializeSeed<'de> for Kept {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self {
            Self::Whole => Value::deserialize(deserializer).map(Node::Whole),
            Self::Members(members) => deserializer.deserialize_any(Object(members)),
        }
    }
}

/// An object, or a value in its place.
struct Object(&'static [(&'static str, Kept)]);

impl<'de> Visitor<'de> for Object {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(&str, Node)> = Vec::with_capacity(self.0.len());
        while let Some(member) = map.next_key_seed(Name(self.0))? {
            let Some((name, kept)) = member else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let node = map.next_value_seed(*kept)?;
            match members.iter_mut().find(|(known, _)| known == name) {
                Some((_, earlier)) => *earlier = node,
                None => members.push((name, node)),
            }
        }
        Ok(Node::Members(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Node, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(elements)).map(Node::Whole)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Whole(Value::Null))
    }
}

/// A member's name: the member if it is one of those that are kept.
struct Name(&'static [(&'static str, Kept)]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static (&'static str, Kept)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static (&'static str, Kept)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEPT: Kept =
        Kept::Members(&[("a", Kept::Whole), ("b", Kept::Members(&[("c", Kept::Whole), ("d", Kept::Whole)]))]);

    fn of(json: &str) -> Option<Value> {
        KEPT.of(json.as_bytes()).ok().map(Value::from)
    }

    #[test]
    fn what_is_not_named_is_skipped_at_every_level() {
        let text = r#"{"x":[{"a":1}],"a":{"x":[1,{"y":null}]},"b":{"a":1,"\u0063":"\u00fc\n","x":{"c":2}},"\u0078":1}"#;
        assert_eq!(of(text), Some(json!({"a": {"x": [1, {"y": null}]}, "b": {"c": "ü\n"}})));
    }

    #[test]
    fn a_value_in_place_of_an_object_is_kept_as_it_is() {
        for value in ["null", "true", "-7", "18446744073709551615", "0.5", "\"\"", "[]", "[{\"x\":[1]},2]"] {
            let whole: Value = serde_json::from_str(value).unwrap();
            assert_eq!(of(value).as_ref(), Some(&whole));
            assert_eq!(of(&format!("{{\"b\":{value}}}")), Some(json!({ "b": whole })));
        }
    }

    #[test]
    fn of_two_members_with_one_name_the_last_one_counts_as_in_a_whole_value() {
        let text = r#"{"b":{"c":1,"c":2},"a":1,"b":{"d":3},"a":2}"#;
        assert_eq!(of(text), serde_json::from_str(text).ok());
    }

    #[test]
    fn a_text_that_is_not_json_is_refused_wherever_it_breaks() {
        for text in
            ["", "{", r#"{"x":{"#, r#"{"x":"}"#, r#"{"x":1,}"#, r#"{"x" 1}"#, "{}{}", r#"{"x":01}"#, "{1:2}"]
        {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
