"""Checks that `.github/release-notes.py` finds the right section, and fails without one.

    notes.py REPOSITORY
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHANGELOG = """# Changelog

## Unreleased

- Not yet.

## 1.10.0 - 2026-11-20

- Ten.

### Fixed

- A fence:

```
## 1.2.0
```

## 1.2.0

- Two.

## 1.1.0

## 1.0.0

- Once.

## 1.0.0

- Twice.
"""
TEN = "- Ten.\n\n### Fixed\n\n- A fence:\n\n```\n## 1.2.0\n```\n"

# The tag, the version in Cargo.toml, and the notes or, after "error: ", a part of the message.
CASES = [
    ("v1.10.0", "1.10.0", TEN),
    ("v1.2.0", "1.2.0", "- Two.\n"),
    ("v1.1.0", "1.1.0", "error: the section 1.1.0 of CHANGELOG.md is empty"),
    ("v1.0.0", "1.0.0", "error: CHANGELOG.md has 2 sections 1.0.0"),
    ("v1.3.0", "1.3.0", "error: CHANGELOG.md has no section 1.3.0: rename ## Unreleased to ## 1.3.0"),
    ("v1.1", "1.1.0", "error: the tag is v1.1 and the version in Cargo.toml 1.1.0"),
    ("v1.2.0", "1.10.0", "error: the tag is v1.2.0 and the version in Cargo.toml 1.10.0"),
    ("1.2.0", "1.2.0", "error: the tag is 1.2.0 and the version in Cargo.toml 1.2.0"),
]


def main() -> None:
    script = Path(sys.argv[1]) / ".github" / "release-notes.py"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".github").mkdir()
        shutil.copy(script, root / ".github")
        (root / "CHANGELOG.md").write_text(CHANGELOG)
        for tag, version, expected in CASES:
            (root / "Cargo.toml").write_text(f'[package]\nname = "diskseal"\nversion = "{version}"\n')
            run = subprocess.run([root / ".github" / script.name, tag], capture_output=True, text=True, check=False)
            refused = expected.startswith("error: ")
            right = (
                run.returncode == 1 and run.stdout == "" and run.stderr.startswith(expected) and run.stderr.count("\n") == 1
                if refused
                else run.returncode == 0 and run.stdout == expected and run.stderr == ""
            )
            what = f"{tag} of {version} {'is refused' if refused else 'has its section'}"
            got = f"exit code {run.returncode}, {run.stdout!r}, {run.stderr!r}"
            print(f"ok   notes: {what}" if right else f"FAIL notes: {what}: expected {expected!r}, got {got}")


if __name__ == "__main__":
    main()
