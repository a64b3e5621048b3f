#!/usr/bin/env python3
"""Packs the command line for one target: the program, its completions and manual pages, the licence and the changes.

    .github/cli-archive.py --target TARGET --binary FILE [--generator FILE] --output FOLDER

Writes diskseal-TARGET.tar.gz, or .zip for Windows, and a file with its SHA-256 sum. The same files give the same bytes,
whatever the machine and the time. `--generator` is a program that runs here, if the one to pack does not.
"""

import argparse
import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Where each shell expects its completions, by name.
COMPLETIONS = {
    "bash": "diskseal.bash", "zsh": "_diskseal", "fish": "diskseal.fish", "powershell": "diskseal.ps1", "elvish": "diskseal.elv",
}
# The earliest time that a ZIP file can hold: 1980-01-01.
EARLIEST = 315532800
RUNNABLE, READABLE = 0o755, 0o644


def name(target: str) -> str:
    """The name of the archive for a target."""
    return f"diskseal-{target}.zip" if "windows" in target else f"diskseal-{target}.tar.gz"


def entries(target: str, binary: Path, generator: Path) -> dict[str, tuple[bytes, int]]:
    """The content and the mode of every file, by its name in the archive: all are in one folder."""
    folder, program = f"diskseal-{target}", "diskseal.exe" if "windows" in target else "diskseal"
    found = {f"{folder}/{program}": (binary.read_bytes(), RUNNABLE)}
    for file in ("LICENSE", "CHANGELOG.md"):
        found[f"{folder}/{file}"] = ((ROOT / file).read_bytes(), READABLE)
    for shell, file in COMPLETIONS.items():
        found[f"{folder}/completions/{file}"] = (printed(generator, "completions", shell), READABLE)
    with tempfile.TemporaryDirectory() as pages:
        printed(generator, "man", "--directory", pages)
        for page in sorted(Path(pages).iterdir()):
            found[f"{folder}/man/man1/{page.name}"] = (page.read_bytes(), READABLE)
    return found


def printed(program: Path, *arguments: str) -> bytes:
    """What the program prints. Line ends are those of Unix on every platform."""
    # Windows starts no program without this variable; nothing else is to change the text.
    environment = {key: value for key, value in os.environ.items() if key.upper() == "SYSTEMROOT"}
    run = subprocess.run([str(program.resolve()), *arguments], capture_output=True, check=True, env=environment)
    return run.stdout.replace(b"\r\n", b"\n")


def tarred(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar file, compressed by gzip."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", filename="", mtime=0) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file, (body, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode, entry.mtime = len(body), mode, EARLIEST
            archive.addfile(entry, io.BytesIO(body))
    return content.getvalue()


def zipped(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A ZIP file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file, (body, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(file)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, body, compresslevel=9)
    return content.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True)
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    try:
        files = entries(arguments.target, arguments.binary, arguments.generator or arguments.binary)
    except (OSError, subprocess.CalledProcessError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    file = name(arguments.target)
    content = zipped(files) if file.endswith(".zip") else tarred(files)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / file).write_bytes(content)
    # As sha256sum reads it, on Windows as well.
    (arguments.output / f"{file}.sha256").write_bytes(f"{hashlib.sha256(content).hexdigest()}  {file}\n".encode())
    print(f"{file}: {len(content):,} bytes, {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
