//! libFuzzer's entry. One executable serves every function, because it links once: `DISKSEAL_FUZZ_TARGET` names the
//! function.
#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("DISKSEAL_FUZZ_TARGET").expect("DISKSEAL_FUZZ_TARGET names a function");
    let found = diskseal::fuzz::TARGETS.iter().find(|(known, _)| *known == name);
    found.expect("DISKSEAL_FUZZ_TARGET is one of diskseal::fuzz::TARGETS").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
