//! Azure's official definitions (Swagger 2.0) as the judge of every exchange.
//!
//! We may not copy the files: they are read from the folder in [`VARIABLE`]. If it is set, every
//! [`crate::Emulator`] checks each exchange in its journal against them, and a violation fails the test that
//! caused it.
//!
//! | what | judged by |
//! | --- | --- |
//! | requests of Diskseal (by their `User-Agent`): method, path, query, content type, body | the definitions; requests of anybody else are sent wrongly on purpose, and only their answers are judged |
//! | answers of success: status, headers, body | the definitions; a 202 may leave out required members |
//! | answers of failure | the error that the operation declares; disks and snapshots declare none in this version, and answer the provider's common `CloudError` |
//! | URLs that were given out: operations' and next pages' | they come back byte for byte |
//! | operations' states and results, lists of subscriptions | rules of our own reading (`contract`): no definition has them |
//! | the identity endpoint; answers that a fault made of text; answers that never came | nothing: they are not Resource Manager's |

mod contract;
mod document;
mod exceptions;
mod judgement;
mod operation;
mod schema;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Once, OnceLock},
};

pub use exceptions::{EXCEPTIONS, Exception};

use contract::Contract;
use document::Documents;
use operation::Operation;

/// The environment variable with the folder of the official and recorded data.
pub const VARIABLE: &str = "DISKSEAL_FIXTURES";

/// The files with operations of their own, below `openapi/specification`.
const FILES: [&str; 4] = [
    "compute/resource-manager/Microsoft.Compute/DiskRP/stable/2024-03-02/disk.json",
    "compute/resource-manager/Microsoft.Compute/DiskRP/stable/2024-03-02/snapshot.json",
    "resources/resource-manager/Microsoft.Resources/stable/2024-07-01/tags.trimmed.json",
    "resourcegraph/resource-manager/Microsoft.ResourceGraph/stable/2024-04-01/resourcegraph.json",
];

/// The definitions, compiled.
#[derive(Debug)]
pub struct Definitions {
    operations: Vec<Operation>,
    contract: Contract,
}

/// The folder of the official and recorded data, if there is one.
pub fn fixtures() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The same for a test that needs the data: without it, prints a note once per process, past the capture of
/// the test harness.
pub fn fixtures_or_notice() -> Option<PathBuf> {
    static NOTICE: Once = Once::new();
    let folder = fixtures();
    if folder.is_none() {
        NOTICE.call_once(|| {
            let notice =
                "skipped: all that is judged by Azure's definitions, recorded traffic and official events";
            let _ = writeln!(std::io::stderr(), "{notice} ({VARIABLE} is not set)");
        });
    }
    folder
}

impl Definitions {
    /// Reads and compiles the definitions in a folder of fixtures.
    ///
    /// # Errors
    /// A file is missing, or contains what this reader of Swagger does not support.
    pub fn load(fixtures: &Path) -> Result<Self, String> {
        let mut documents = Documents::new(fixtures.join("openapi/specification"));
        let mut operations = Vec::new();
        for file in FILES {
            operations.extend(operation::read(&mut documents, Path::new(file))?);
        }
        Ok(Self { operations, contract: Contract::compile(&mut documents)? })
    }

    /// The definitions that the environment names, compiled once per process.
    ///
    /// # Panics
    /// If they are named and cannot be read: skipping the checks silently would hide faults.
    #[expect(clippy::panic, reason = "without the named definitions nothing would be judged")]
    pub fn of_environment() -> Option<&'static Self> {
        static COMPILED: OnceLock<Option<Definitions>> = OnceLock::new();
        let load =
            |folder: PathBuf| Self::load(&folder).unwrap_or_else(|fault| panic!("{VARIABLE}: {fault}"));
        COMPILED.get_or_init(|| fixtures().map(load)).as_ref()
    }

    /// The operations of the definitions, by their `operationId`.
    pub fn operation_ids(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|operation| operation.id.as_str())
    }

    /// The `operationId` of a request's operation.
    pub fn operation_of(&self, method: &str, path: &str) -> Option<&str> {
        self.find(method, path).map(|operation| operation.id.as_str())
    }

    /// Whether an operation declares a response with this status.
    pub fn declares(&self, operation_id: &str, status: u16) -> bool {
        self.operations.iter().any(|known| known.id == operation_id && known.answers.contains_key(&status))
    }

    /// Whether an operation declares a default response.
    pub fn declares_errors(&self, operation_id: &str) -> bool {
        self.operations.iter().any(|known| known.id == operation_id && known.error.is_some())
    }

    fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.is(method, path))
    }
}
