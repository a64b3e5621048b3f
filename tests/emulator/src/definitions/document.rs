//! The files of the definitions, and references from one into another.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

/// Every file that was read so far, by its path below the root.
#[derive(Debug)]
pub(super) struct Documents {
    root: PathBuf,
    read: HashMap<PathBuf, Arc<Value>>,
}

/// A part of a file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) file: PathBuf,
    pub(super) value: Value,
    /// The name of the part: folder, file and name, such as `2024-03-02/disk.json/Disk`.
    pub(super) name: String,
}

impl Documents {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, read: HashMap::new() }
    }

    pub(super) fn file(&mut self, file: &Path) -> Result<Arc<Value>, String> {
        if let Some(known) = self.read.get(file) {
            return Ok(Arc::clone(known));
        }
        let path = self.root.join(file);
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| fault(&error))?;
        let value = Arc::new(serde_json::from_str(&text).map_err(|error| fault(&error))?);
        self.read.insert(file.to_owned(), Arc::clone(&value));
        Ok(value)
    }

    /// Resolves a `$ref` in `file`.
    pub(super) fn resolve(&mut self, file: &Path, reference: &str) -> Result<Part, String> {
        let fault = || format!("{}: {reference} leads nowhere", file.display());
        let (path, pointer) = reference.split_once('#').ok_or_else(fault)?;
        let target = if path.is_empty() { file.to_owned() } else { joined(file, path) };
        let value = self.file(&target)?.pointer(pointer).cloned().ok_or_else(fault)?;
        let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = target.parent().map(last).unwrap_or_default();
        let name = pointer.rsplit('/').next().unwrap_or_default();
        Ok(Part { name: format!("{folder}/{}/{name}", last(&target)), value, file: target })
    }

    /// Follows references until there are none.
    pub(super) fn follow(&mut self, file: &Path, value: &Value) -> Result<Part, String> {
        let mut part = Part { file: file.to_owned(), value: value.clone(), name: String::new() };
        while let Some(reference) = part.value["$ref"].as_str().map(str::to_owned) {
            part = self.resolve(&part.file, &reference)?;
        }
        Ok(part)
    }
}

fn joined(file: &Path, relative: &str) -> PathBuf {
    let mut path = file.parent().unwrap_or(file).to_owned();
    for component in Path::new(relative).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}
