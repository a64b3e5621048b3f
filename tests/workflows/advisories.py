"""Hands small databases of advisories to .ci/advisories: an advisory for a crate of Cargo.lock must be reported.

    advisories.py REPOSITORY
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2026-9999"
package = "{crate}"
date = "2026-01-01"

[versions]
patched = [">= 999.0.0"]
```

# A planted advisory

It is for no real fault.
"""


def check(root: Path, what: str, crate: str | None, code: int, words: str) -> None:
    """Checks a database with one advisory for `crate`."""
    with tempfile.TemporaryDirectory() as folder:
        if crate:
            file = Path(folder) / "crates" / crate / "RUSTSEC-2026-9999.md"
            file.parent.mkdir(parents=True)
            file.write_text(ADVISORY.format(crate=crate))
        run = subprocess.run([root / ".ci/advisories", folder], capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    if run.returncode == code and words in output:
        print(f"ok   advisories: {what}")
    else:
        print(f"FAIL advisories: {what}: expected exit code {code} and {words!r}, got {run.returncode}: {output}")


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    check(root, "an advisory for a crate of Cargo.lock is reported", "tokio", 1, "RUSTSEC-2026-9999")
    check(root, "an advisory for another crate is none of ours", "no-crate-of-this-tree", 0, "1 advisories in")
    check(root, "a folder without advisories is refused", None, 2, "has no folder crates")


if __name__ == "__main__":
    main()
