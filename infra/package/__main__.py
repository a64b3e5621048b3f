"""Checks the handler's executable and packs it: the archive to deploy, with its bill of materials and checksums.

`infra/package.sh` builds the executable and calls this.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import archive
import elf
import sbom

SIZE_MAX = 6 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    arguments = read_arguments()
    binary = arguments.binary.read_bytes()
    found = elf.faults(binary, arguments.arch) + leaks(binary, arguments.leak)
    if found:
        return refuse(arguments.binary, found)
    try:
        files = archive.entries(ROOT, binary)
        content = archive.packed(files, archive.moment())
    except (archive.Fault, OSError, ValueError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1

    name = f"diskseal-linux-{arguments.arch}"
    found = archive.faults(content, files, SIZE_MAX)
    if found:
        return refuse(f"{name}.zip", found)
    target = f"{arguments.arch}-unknown-linux-gnu"
    tools = dict(tool.split("=", 1) for tool in arguments.tool)
    bill = sbom.document(ROOT, target, binary, tools)
    if found := sbom.faults(binary, bill):
        return refuse(arguments.binary, found)

    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / f"{name}.zip").write_bytes(content)
    (arguments.output / f"{name}.cdx.json").write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")
    write_sums(arguments.output)
    print(f"{arguments.output / name}.zip: {len(content)} bytes, glibc {elf.glibc(binary)} or newer")
    for file, (body, mode) in sorted(files.items()):
        print(f"  {mode & 0o777:o}  {len(body):>8}  {file}")
    print(f"{arguments.output / name}.cdx.json: {len(bill['components'])} crates")
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=Path, required=True, help="the executable")
    parser.add_argument("--arch", choices=sorted(elf.MACHINES), required=True)
    parser.add_argument("--output", type=Path, required=True, help="the folder for what is made")
    parser.add_argument("--leak", action="append", default=[], help="a path of this machine that must not be in it")
    parser.add_argument("--tool", action="append", default=[], help="NAME=VERSION of what built it")
    return parser.parse_args()


def leaks(binary: bytes, paths: list[str]) -> list[str]:
    """Paths of the build machine in the executable, which would make the build depend on the machine."""
    return [
        f"it contains the path {path} of this machine: add a --remap-path-prefix for it to infra/package.sh"
        for path in paths
        if path.encode() + b"/" in binary
    ]


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS of all packages in the folder, for `sha256sum --check`."""
    made = sorted(path for path in folder.iterdir() if path.name.startswith("diskseal-linux-"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (folder / "SHA256SUMS").write_text("".join(lines))


def refuse(what, found: list[str]) -> int:
    for fault in found:
        print(f"error: {what}: {fault}", file=sys.stderr)
    return 1


sys.exit(main())
