//! Settings of the custom handler alone.

use std::time::Duration;

use super::{
    azure::container,
    setting::{Fallback, Setting, Use, Value, meaning, names, set, word},
};
use crate::enforce::Outcomes;

pub(super) const ALL: &[Setting] = &[PORT, DEADLINE, SWEEP_SCHEDULE, OUTCOMES, EVIDENCE];

/// The port on which the Functions host expects its handler.
pub(super) const PORT: Setting = Setting {
    name: "FUNCTIONS_CUSTOMHANDLER_PORT",
    flag: "port",
    value: Value::Text("PORT"),
    help: "Port on 127.0.0.1 to listen on.\nThe Functions host sets it; give the flag to run the handler by hand.",
    default: Fallback::Means("set by the Functions host"),
    used: Use::Serve,
    read: |config, text| {
        let message = |_| format!("{text:?} is not a port: the Functions host sets a number from 1 to 65535");
        set(&mut config.port, text.parse().map(Some).map_err(message))
    },
    show: |config| config.port.map(|port| port.to_string()),
};

#[test]
fn the_port_is_required_and_reported_together_with_the_rest() {
    use super::{Config, Credential, Faults, tests::lookup};
    let serve = |pairs: &[(&str, &str)]| Config::for_serve(&lookup(pairs));
    let (config, port) = serve(&[(PORT.name, "7071")]).unwrap();
    assert_eq!((port, config.identity().credential), (7071, Credential::ManagedIdentity));
    for port in ["x", "0", "65536", "-1", "80 80"] {
        let Faults(faults) = serve(&[(PORT.name, port)]).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("1 to 65535"), "{faults:?}");
    }
    let Faults(faults) = serve(&[("DISKSEAL_MODE", "on")]).unwrap_err();
    let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names, ["DISKSEAL_MODE", PORT.name]);
}

/// In seconds. The handler has to answer before the host's `functionTimeout`, with room for the answer itself.
const DEADLINE_MAX: u64 = 240;

const DEADLINE: Setting = Setting {
    name: "DISKSEAL_DEADLINE",
    flag: "deadline",
    value: Value::Text("SECONDS"),
    help: "Time limit of an event's invocation in seconds, waits included.\n\
           A whole number from 1 to 240: functionTimeout of host.json, at which the Functions host kills the handler, is 300 \
           seconds. Event Grid waits 30 seconds for an answer. A queue message has 2 minutes, a sweep 4. On the command \
           line, the limit for one resource.",
    default: Fallback::Text("25"),
    used: Use::Serve,
    read: |config, text| {
        let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=DEADLINE_MAX).contains(seconds));
        let message = || format!("{text:?} is not a whole number of seconds from 1 to {DEADLINE_MAX}");
        set(&mut config.deadline, seconds.map(Duration::from_secs).ok_or_else(message))
    },
    show: |config| Some(config.deadline.as_secs().to_string()),
};

#[test]
fn a_deadline_ends_a_minute_before_the_host_kills_the_handler() {
    use super::tests::{fault, shown};
    for text in ["0", "241", "600", "soon", "2.5"] {
        fault(DEADLINE.name, text);
    }
    assert_eq!(shown(&DEADLINE, "240").as_deref(), Some("240"));
    let host: serde_json::Value = serde_json::from_str(include_str!("../../host.json")).unwrap();
    let parts: Vec<u64> =
        host["functionTimeout"].as_str().unwrap().split(':').map(|part| part.parse().unwrap()).collect();
    assert!(DEADLINE_MAX + 60 <= parts[0] * 3_600 + parts[1] * 60 + parts[2]);
}

const SWEEP_SCHEDULE: Setting = Setting {
    name: "DISKSEAL_SWEEP_SCHEDULE",
    flag: "sweep-schedule",
    value: Value::Text("NCRONTAB"),
    help: "Schedule of the sweep, an NCRONTAB expression of six fields.\n\
           For example \"0 17 * * * *\", at minute 17 of every hour. The Functions host reads the app setting; the flag \
           has no effect.",
    default: Fallback::Means("none; the function app requires it"),
    used: Use::Serve,
    read: |config, text| set(&mut config.sweep_schedule, Ok(Some(text.to_owned()))),
    show: |config| config.sweep_schedule.clone(),
};

const OUTCOMES_WORDS: [(&str, Outcomes); 2] = [("off", Outcomes::Off), ("on", Outcomes::On)];

const OUTCOMES: Setting = Setting {
    name: "DISKSEAL_OUTCOMES",
    flag: "outcomes",
    value: Value::Words(|| names(&OUTCOMES_WORDS)),
    help: "Put what a person must know on the queue diskseal-outcomes (on), or only log it (off).\n\
           CloudEvents about resources that were given up, seals that were removed, exemptions that end, sweeps that a limit \
           stopped, and resources that are left as they are. The Functions host writes them; docs/outcomes.md has their form.",
    default: Fallback::Text("off"),
    used: Use::Serve,
    read: |config, text| set(&mut config.options.outcomes, meaning(&OUTCOMES_WORDS, text)),
    show: |config| word(&OUTCOMES_WORDS, config.options.outcomes),
};

#[test]
fn outcomes_are_off_unless_they_are_on() {
    use super::tests::{fault, read, shown};
    assert_eq!(read(&[]).unwrap().options.outcomes, Outcomes::Off);
    assert_eq!(shown(&OUTCOMES, "ON").as_deref(), Some("on"));
    fault(OUTCOMES.name, "diskseal-outcomes");
}

const EVIDENCE: Setting = Setting {
    name: "DISKSEAL_EVIDENCE",
    flag: "evidence",
    value: Value::Text("URL"),
    help: "Blob container for a report a day, such as https://ACCOUNT.blob.core.windows.net/CONTAINER.\n\
           The first sweep of a day in UTC writes it, with the hash of the one before, in audit mode as well. The identity needs \
           Storage Blob Data Contributor on the container; docs/evidence.md has the rest.",
    default: Fallback::Means("no evidence"),
    used: Use::Serve,
    read: |config, text| set(&mut config.evidence, container(text).map(Some)),
    show: |config| config.evidence.as_ref().map(url::Url::to_string),
};

#[test]
fn evidence_goes_to_a_container_of_any_cloud_and_never_by_a_signature() {
    use super::tests::{fault, shown};
    for url in [
        "https://st.blob.core.windows.net/evidence",
        "https://st.blob.core.usgovcloudapi.net/evidence",
        "https://st.blob.core.chinacloudapi.cn/evidence",
        "http://127.0.0.1:10000/devstoreaccount1/evidence",
    ] {
        assert_eq!(shown(&EVIDENCE, url).as_deref(), Some(url));
    }
    for url in [
        "https://st.blob.core.windows.net",
        "https://st.blob.core.windows.net/",
        "http://st.blob.core.windows.net/evidence",
        "https://st.blob.core.windows.net/evidence?sv=2021&sig=s3cret",
        "https://user:s3cret@st.blob.core.windows.net/evidence",
        "evidence",
    ] {
        assert!(!fault(EVIDENCE.name, url).contains("s3cret"), "{url}");
    }
}
