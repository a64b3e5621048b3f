//! Events that Azure has not raised, or not like this.

use std::time::Duration;

use diskseal_emulator::Emulator;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{
    process::{now, ourselves},
    script::Hostile,
};

pub(crate) fn event(how: Hostile, id: &str, azure: &Emulator) -> Value {
    let at = |time: time::OffsetDateTime| time.format(&Rfc3339).unwrap();
    let of = |subject: &str, time: String| {
        json!({
            "id": uuid(subject.len()), "specversion": "1.0", "type": "Microsoft.Resources.ResourceWriteSuccess",
            "source": "/subscriptions/11111111-2222-4333-8444-555555555555", "subject": subject, "time": time,
            "data": {"operationName": "Microsoft.Compute/disks/write", "resourceUri": subject},
        })
    };
    match how {
        Hostile::Empty => json!({}),
        Hostile::OutOfScope => {
            let other = "/subscriptions/99999999-2222-4333-8444-555555555555/resourceGroups/rg/providers/Microsoft.Compute/disks/d";
            of(other, at(now()))
        }
        Hostile::Traversal => of(&format!("{id}/../../../x?a=b#c"), at(now())),
        Hostile::OfTheFuture => of(id, at(now() + Duration::from_hours(30))),
        Hostile::OfThePast => of(id, "1999-12-31T23:59:59Z".to_owned()),
        Hostile::Echo => {
            let mut event = of(id, at(now()));
            let own = ourselves(azure);
            event["data"]["claims"] = json!({
                "appid": own.app_id,
                "http://schemas.microsoft.com/identity/claims/objectidentifier": own.object_id,
            });
            event
        }
        Hostile::Long => of(&format!("{id}{}", "x".repeat(5_000)), at(now())),
    }
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
