//! A file of evidence as it is read: its head, and row by row what it says of each resource.

use std::{fmt, io::Read};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use time::{Date, OffsetDateTime};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// A file as another one names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The name of the file.
    pub name: String,
    /// The SHA-256 of all its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// The head of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) day: Date,
    pub(super) taken_at: OffsetDateTime,
    /// The file before it; none of the first one.
    pub(super) previous: Option<Link>,
}

/// What a file says of one resource, as far as it is compared with the next day.
#[derive(Clone, Debug, Hash, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    #[serde(skip_serializing)]
    pub(super) id: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) until: Option<String>,
    pub(super) data_access_auth_mode: Option<String>,
    pub(super) network_access_policy: Option<String>,
    pub(super) public_network_access: Option<String>,
}

/// Reads a file, and gives each resource of its report to `on_row`.
///
/// # Errors
/// It cannot be read, or is not evidence of this format.
pub(super) fn read(from: impl Read, on_row: impl FnMut(Seen)) -> serde_json::Result<Head> {
    let mut reader = serde_json::Deserializer::from_reader(from);
    let head = Document(on_row).deserialize(&mut reader)?;
    reader.end()?;
    Ok(head)
}

struct Document<F>(F);

impl<'de, F: FnMut(Seen)> DeserializeSeed<'de> for Document<F> {
    type Value = Head;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Head, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Seen)> Visitor<'de> for Document<F> {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("evidence of a day")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Head, A::Error> {
        let (mut format, mut day, mut taken_at, mut previous) = (None, None, None, None);
        let mut has_report = false;
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "format" => format = Some(members.next_value::<u32>()?),
                "day" => day = Some(members.next_value::<String>()?),
                "takenAt" => taken_at = Some(members.next_value::<String>()?),
                "previous" => previous = Some(members.next_value::<Option<Link>>()?),
                "report" => {
                    has_report = true;
                    members.next_value_seed(Rows { on_row: &mut self.0, is_list: false })?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        if format != Some(FORMAT) {
            return Err(A::Error::custom(format_args!("the format is not {FORMAT}")));
        }
        if !has_report {
            return Err(A::Error::missing_field("report"));
        }
        let day = day.and_then(|day| super::fetched::day_of(&format!("{day}.json")));
        let taken_at = taken_at
            .and_then(|at| OffsetDateTime::parse(&at, &time::format_description::well_known::Rfc3339).ok());
        Ok(Head {
            day: day.ok_or_else(|| A::Error::missing_field("day"))?,
            taken_at: taken_at.ok_or_else(|| A::Error::missing_field("takenAt"))?,
            previous: previous.ok_or_else(|| A::Error::missing_field("previous"))?,
        })
    }
}

/// The report, or the list of its resources.
struct Rows<'a, F> {
    on_row: &'a mut F,
    is_list: bool,
}

impl<'de, F: FnMut(Seen)> DeserializeSeed<'de> for Rows<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        if self.is_list { from.deserialize_seq(self) } else { from.deserialize_map(self) }
    }
}

impl<'de, F: FnMut(Seen)> Visitor<'de> for Rows<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_list { "a list of resources" } else { "a report" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == "resources" {
                members.next_value_seed(Rows { on_row: &mut *self.on_row, is_list: true })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.on_row)(row);
        }
        Ok(())
    }
}
