"""Plants mistakes in a copy of the workflows, one at a time, and verifies that the right check reports each.

    mutations.py REPOSITORY
"""

import shutil
import sys
import tempfile
from pathlib import Path

import check

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"

# File, old text, new text (replaced once), the check that reports it, and the words of the report.
PLANTED = [
    ("ci.yml", CHECKOUT, "actions/checkout@v7", "pins", "actions/checkout@v7 is not pinned"),
    ("ci.yml", CHECKOUT, "actions/checkout@v7", "zizmor", "unpinned-uses"),
    ("ci.yml", CHECKOUT, CHECKOUT.split(" #")[0], "pins", "is not pinned"),
    ("ci.yml", CHECKOUT, "actions/checkout@3d3c42e # v7.0.1", "pins", "is not pinned"),
    ("ci.yml", CHECKOUT, "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b2 # v7.0.1", "pins", "two commits or versions"),
    ("ci.yml", "permissions: {}\n\n", "", "permissions", "ci.yml: say permissions: {} for the workflow"),
    ("release.yml", "    permissions:\n      contents: read\n    uses", "    permissions: write-all\n    uses", "zizmor", "excessive-permissions"),
    ("ci.yml", "      contents: read\n", "      contents: write\n", "permissions", "('ci.yml', 'run'): {'contents'}"),
    ("release.yml", "    permissions:\n      contents: read\n    uses", "    permissions: write-all\n    uses", "permissions", "ci: say which permissions"),
    ("release.yml", "    permissions: {}\n    steps", "    steps", "permissions", "starts: say which permissions"),
    ("ci.yml", "persist-credentials: false", "persist-credentials: true", "caution", "keeps its token"),
    ("ci.yml", "  pull_request:\n", "  pull_request_target:\n", "caution", "runs on pull_request_target"),
    ("ci.yml", "    timeout-minutes: 120\n", "", "caution", "run: it has no timeout-minutes"),
    ("ci.yml", "    steps:\n", "    steps\n", "actionlint", "could not parse as YAML"),
    ("ci.yml", "    runs-on: ubuntu-24.04\n", "    run-on: ubuntu-24.04\n", "actionlint", 'unexpected key "run-on"'),
    ("ci.yml", "ubuntu-24.04", "ubuntu-24.40", "actionlint", 'label "ubuntu-24.40" is unknown'),
    ("ci.yml", "github.ref }}", "github.reff }}", "actionlint", 'property "reff" is not defined'),
    ("release.yml", "needs: package", "needs: packages", "actionlint", 'needs job "packages" which does not exist'),
    ("release.yml", "matrix.arch }}", "matrix.architecture }}", "actionlint", 'property "architecture" is not defined'),
    ("release.yml", 'notes.py "$GITHUB_REF_NAME"', "notes.py $GITHUB_REF_NAME", "shell", "SC2086"),
    ("release.yml", '"$GITHUB_REF_NAME" >notes', '"${{ github.ref_name }}" >notes', "shell", "an expression within run"),
    ("release.yml", '"$GITHUB_REF_NAME" >notes', '"${{ github.ref_name }}" >notes', "zizmor", "template-injection"),
    ("ci.yml", "1.95.0", "1.94.0", "toolchain", "is not one version"),
    ("ci.yml", "1.95.0", "stable", "toolchain", "no version such as"),
    ("ci.yml", "run: .ci/run", "run: cargo test", "same checks", "does not run .ci/run"),
    ("../dependabot.yml", "      - /infra/package\n", "", "updates", "does not name pip of /infra/package"),
    ("../dependabot.yml", "  - package-ecosystem: cargo", "  - package-ecosystem: gomod", "updates", "does not name cargo of /fuzz"),
    ("../dependabot.yml", "      - /tests/browser\n", "      - /tests/browsers\n", "updates", "names npm of /tests/browsers"),
    ("release.yml", '[[ ${named%/} == "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" ]] ||', '[[ -z $named || ${named%/} == "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" ]] ||', "address", "with no repository is made"),
    ("release.yml", '== "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" ]]', '!= "" ]]', "address", "somebody/else"),
    ("release.yml", "      - name: the repository's address, from", "      - name: an address, from", "address", "does not look at the repository's address"),
    ("release.yml", "base=https://raw", "home=https://github.com/somebody/diskseal base=https://raw", "address", "the repository's address stands there too"),
    ("release.yml", "needs: [notes, ci, package, cli, starts]", "needs: [notes, package]", "same checks", "does not wait for ci, cli, starts"),
    ("release.yml", "          - target: aarch64-apple-darwin\n            runner: macos-15\n", "", "archives", "builds the command line for"),
    ("release.yml", '"diskseal-$arch-apple-darwin.tar.gz" ', "", "archives", "does not ask for diskseal-x86_64-apple-darwin.tar.gz"),
    ("../../Cargo.toml", 'v{ version }/diskseal-{ target }.tar.gz"', '{ version }/diskseal-{ target }.tar.gz"', "archives", "cargo binstall looks for"),
    ("../../Cargo.toml", 'bin-dir = "diskseal-{ target }/', 'bin-dir = "', "archives", "has no diskseal"),
    ("../cli-archive.py", 'else f"diskseal-{target}.tar.gz"', 'else f"diskseal_{target}.tar.gz"', "archives", "cargo binstall looks for"),
    ("../cli-archive.py", "EARLIEST\n            archive.addfile", "int(os.times().elapsed * 100)\n            archive.addfile", "archives", "the same files give other bytes"),
    ("../../SECURITY.md", "https://", "", "standing", "SECURITY.md lacks a link"),
    ("../../SECURITY.md", "90 days", "some days", "standing", "SECURITY.md lacks a link"),
    ("codeql.yml", ", rust]", "]", "standing", "codeql.yml does not analyze rust"),
    ("codeql.yml", "      security-events: write # the results\n", "", "permissions", "these may write"),
    ("../../fuzz/fuzz_targets/target.rs", "libfuzzer_sys::fuzz_target!", "main!", "standing", "no target of libFuzzer"),
    ("live.yml", "--require-hashes ", "", "standing", "pip install without --require-hashes"),
    ("release.yml", 'run: cp "$BUNDLE" dist/diskseal.intoto.jsonl', 'run: cp "$BUNDLE" .', "standing", "is no file of the release"),
]


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    for file, old, new, by, words in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            shutil.copytree(root / ".github", copy / ".github")
            for name in ("Cargo.toml", "LICENSE", "CHANGELOG.md", "SECURITY.md"):
                shutil.copy(root / name, copy)
            shutil.copytree(root / "fuzz" / "fuzz_targets", copy / "fuzz" / "fuzz_targets")
            path = copy / ".github" / "workflows" / file
            text = path.read_text()
            what = f"{file}: {new.strip()!r} in place of {old.strip()!r}"
            if old not in text:
                print(f"FAIL mutations: {what}: it does not stand there")
                continue
            path.write_text(text.replace(old, new, 1))
            try:
                found = check.CHECKS[by](copy)
            except Exception as fault:  # noqa: BLE001: a check that breaks has told nothing
                found = [repr(fault)]
            if any(words in fault for fault in found):
                print(f"ok   mutations: {by} tells {what}")
            else:
                print(f"FAIL mutations: {what}: expected {words!r} from {by}, got {found}")


if __name__ == "__main__":
    main()
