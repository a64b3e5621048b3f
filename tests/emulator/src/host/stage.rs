//! Packaging: creates the folder to deploy from the repository.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value;

use super::HostError;

/// Creates an app root folder in `into`: the files of [`stage_definitions`] and the binary, with the name
/// from host.json and its executable bit.
pub fn stage(repository_root: &Path, binary: &Path, into: &Path) -> Result<(), HostError> {
    stage_definitions(repository_root, into)?;
    let path = into.join("host.json");
    let text = fs::read(&path).map_err(failed(&path))?;
    let host: Value = serde_json::from_slice(&text)
        .map_err(|error| HostError::Invalid { path, fault: error.to_string() })?;
    let name = host["customHandler"]["description"]["defaultExecutablePath"].as_str();
    let target = into.join(name.ok_or(HostError::NoExecutable)?);
    // Hard links do not work across file systems.
    if fs::hard_link(binary, &target).is_err() {
        fs::copy(binary, &target).map_err(failed(binary))?;
    }
    make_runnable(&target).map_err(failed(&target))
}

/// Copies host.json and every folder of `function-definitions` into `into`, because the host only looks for
/// function.json in direct child folders of the root.
pub fn stage_definitions(repository_root: &Path, into: &Path) -> Result<(), HostError> {
    let host_json = repository_root.join("host.json");
    fs::create_dir_all(into).map_err(failed(into))?;
    fs::copy(&host_json, into.join("host.json")).map_err(failed(&host_json))?;
    let definitions = repository_root.join("function-definitions");
    for folder in fs::read_dir(&definitions).map_err(failed(&definitions))? {
        let folder = folder.map_err(failed(&definitions))?;
        let file = folder.path().join("function.json");
        if file.is_file() {
            let function = into.join(folder.file_name());
            fs::create_dir_all(&function).map_err(failed(&function))?;
            fs::copy(&file, function.join("function.json")).map_err(failed(&file))?;
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> HostError + use<> {
    let path = path.to_owned();
    move |source| HostError::File { path, source }
}

/// Sets the execute bit, if it is missing. A hard link shares its permissions with the original.
pub(super) fn make_runnable(file: &Path) -> std::io::Result<()> {
    let mut permissions = fs::metadata(file)?.permissions();
    if permissions.mode() & 0o111 == 0o111 || !file.is_file() {
        return Ok(());
    }
    permissions.set_mode(0o755);
    fs::set_permissions(file, permissions)
}
