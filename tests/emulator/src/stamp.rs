//! Replacements for signatures: text that only this process can create, which is enough for a local Azure.

use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// A secret of this process.
#[derive(Debug, Default)]
pub(crate) struct Secret {
    key: RandomState,
    certificate: OnceLock<String>,
}

impl Secret {
    /// A stamp of this many bytes on a text, in base64url.
    pub(crate) fn stamp(&self, text: &str, bytes: usize) -> String {
        let mut stamp: Vec<u8> =
            (0..bytes.div_ceil(8)).flat_map(|block| self.key.hash_one((block, text)).to_le_bytes()).collect();
        stamp.truncate(bytes);
        URL_SAFE_NO_PAD.encode(stamp)
    }

    /// Replaces the signer's certificate: long enough to make a URL longer than 4 kB.
    pub(crate) fn certificate(&self) -> &str {
        self.certificate.get_or_init(|| self.stamp("certificate", 2800))
    }
}
