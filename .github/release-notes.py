#!/usr/bin/env python3
"""Prints the notes of a release: the section of CHANGELOG.md that bears the version of the tag.

    .github/release-notes.py v1.2.3

Fails, with one line that says what to do, when the tag is not of the version in Cargo.toml, or the section is missing,
there twice or empty.
"""

import re
import sys
import tomllib
from pathlib import Path

# A heading `## 1.2.3` or `## 1.2.3 - 2026-01-31`.
HEADING = re.compile(r"^## +(?P<name>\S+)(?: +- +\d{4}-\d{2}-\d{2})? *$")


class Fault(Exception):
    """There are no notes for this tag, and what to do about it."""


def notes(tag: str, manifest: str, changelog: str) -> str:
    """The section for `tag`, from the texts of Cargo.toml and CHANGELOG.md."""
    version = tomllib.loads(manifest)["package"]["version"]
    if tag != f"v{version}":
        raise Fault(f"the tag is {tag} and the version in Cargo.toml {version}: tag the commit that sets the version, as v{version}")
    found = [body for name, body in sections(changelog) if name == version]
    if not found:
        raise Fault(f"CHANGELOG.md has no section {version}: rename ## Unreleased to ## {version}, and tag that commit")
    if len(found) > 1:
        raise Fault(f"CHANGELOG.md has {len(found)} sections {version}: keep one")
    if not found[0]:
        raise Fault(f"the section {version} of CHANGELOG.md is empty: say what has changed")
    return found[0] + "\n"


def sections(changelog: str) -> list[tuple[str, str]]:
    """The name and the text of each section, in their order. A heading inside a fenced block is text."""
    found, fenced = [], False
    for line in changelog.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            heading = HEADING.match(line)
            found.append((heading["name"] if heading else line, []))
        elif found:
            found[-1][1].append(line)
    return [(name, "\n".join(lines).strip()) for name, lines in found]


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    root = Path(__file__).resolve().parents[1]
    try:
        text = notes(sys.argv[1], (root / "Cargo.toml").read_text(), (root / "CHANGELOG.md").read_text())
    except Fault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
