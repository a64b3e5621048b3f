//! The report on every resource, in the forms for programs: time, size and memory.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncReadExt, process::Command, time::Instant};

use super::{BINARY, azure};

/// The report of 100,000 resources stays below it.
const PEAK_RSS_MIB_MAX: u64 = 60;

/// With a few unsealed resources, and with none sealed.
pub(super) async fn whole_estate() {
    for unsealed_percent in [2, 100] {
        let azure = azure(100_000, unsealed_percent, Duration::ZERO).await;
        for form in ["json", "csv", "ocsf", "table"] {
            let started = Instant::now();
            let mut child = Command::new(BINARY)
                .args(["report", "--all", "--all-subscriptions", "--output", form])
                .args(["--arm-endpoint", &azure.serving.arm_https, "--credential", "managed-identity"])
                .env_clear()
                .env("SSL_CERT_FILE", &azure.serving.ca_pem)
                .env("IDENTITY_ENDPOINT", &azure.serving.identity)
                .env("IDENTITY_HEADER", &azure.serving.identity_header)
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let status_file = format!("/proc/{}/status", child.id().unwrap());
            let mut stdout = child.stdout.take().unwrap();
            let (mut bytes, mut peak_kib, mut buffer) = (0, 0, vec![0; 1 << 16]);
            loop {
                let status = std::fs::read_to_string(&status_file).unwrap_or_default();
                let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                peak_kib =
                    peak.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(peak_kib);
                match stdout.read(&mut buffer).await.unwrap() {
                    0 => break,
                    more => bytes += more,
                }
            }
            let code = child.wait().await.unwrap().code();
            assert_eq!(code, Some(1), "something is unsealed");
            println!(
                "report --all --output {form}, 100000 resources, {unsealed_percent} % unsealed: {:.1} s, {:.1} MB, peak RSS {} MiB",
                started.elapsed().as_secs_f64(),
                bytes as f64 / 1e6,
                peak_kib / 1_024,
            );
            assert!(peak_kib / 1_024 <= PEAK_RSS_MIB_MAX, "more than {PEAK_RSS_MIB_MAX} MiB");
        }
    }
}
