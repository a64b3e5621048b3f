//! Packaging: the folder that is deployed, made from the repository.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::HostError;

/// Makes an app root folder in `into`: host.json, the binary under the name that host.json gives it, with its
/// run bit, and every folder of `function-definitions` beside them, because the host looks for function.json
/// in the root's direct children only.
pub fn stage(repository_root: &Path, binary: &Path, into: &Path) -> Result<(), HostError> {
    let host_json = repository_root.join("host.json");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| HostError::File { path, source }
    };
    fs::create_dir_all(into).map_err(failed(into))?;
    fs::copy(&host_json, into.join("host.json")).map_err(failed(&host_json))?;
    let text = fs::read(&host_json).map_err(failed(&host_json))?;
    let host: Value = serde_json::from_slice(&text)
        .map_err(|error| HostError::Invalid { path: host_json, fault: error.to_string() })?;
    let name = host["customHandler"]["description"]["defaultExecutablePath"].as_str();
    let target = into.join(name.ok_or(HostError::NoExecutable)?);
    // Across file systems there are no hard links.
    if fs::hard_link(binary, &target).is_err() {
        fs::copy(binary, &target).map_err(failed(binary))?;
    }
    make_runnable(&target).map_err(failed(&target))?;
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

/// A linked binary shares its permissions with the original, so they are touched only if they must be.
fn make_runnable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(file)?.permissions();
    if permissions.mode() & 0o111 == 0o111 {
        return Ok(());
    }
    permissions.set_mode(0o755);
    fs::set_permissions(file, permissions)
}
