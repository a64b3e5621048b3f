"""The archive to deploy: host.json, the functions' folders and the executable, all at its root.

The same content gives the same bytes, anywhere and at any time: times are fixed, the order is that of the
names, and what the umask or the file system says of modes does not count.
"""

import io
import json
import os
import stat
import time
import zipfile
from pathlib import Path

# The earliest and the latest time that a ZIP file can store.
EARLIEST, LATEST = 315532800, 4354819198
# The package is mounted read-only, so the executable bit cannot be set later.
RUNNABLE = stat.S_IFREG | 0o755
READABLE = stat.S_IFREG | 0o644
UNIX = 3


class Fault(Exception):
    """Why packing failed, and the remedy."""


def entries(root: Path, binary: bytes) -> dict[str, tuple[bytes, int]]:
    """The content and mode of every file, by its name in the archive. `root` is the repository."""
    host = root / "host.json"
    description = json.loads(host.read_text()).get("customHandler", {}).get("description", {})
    handler = description.get("defaultExecutablePath", "")
    if handler in ("", "host.json") or not handler.replace("-", "").replace("_", "").isalnum():
        raise Fault(f"{host}: defaultExecutablePath is {handler!r}: set it to the bare name of the executable")
    found = {"host.json": (host.read_bytes(), READABLE), handler: (binary, RUNNABLE)}
    definitions = root / "function-definitions"
    for folder in sorted(definitions.iterdir()):
        held = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
        if held != ["function.json"]:
            what = f"holds {', '.join(held) or 'nothing'}"
            raise Fault(f"{folder}: {what}: {definitions} may only contain folders with one function.json each")
        found[f"{folder.name}/function.json"] = ((folder / "function.json").read_bytes(), READABLE)
    return found


def moment() -> tuple[int, ...]:
    """The time stamp of the files: `SOURCE_DATE_EPOCH` in seconds since 1970, or the earliest possible."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or str(EARLIEST)
    if not given.isdecimal() or not EARLIEST <= int(given) <= LATEST:
        raise Fault(f"SOURCE_DATE_EPOCH={given}: set it to seconds since 1970, for a time between 1980 and 2107, or unset it")
    return tuple(time.gmtime(int(given))[:6])


def packed(files: dict[str, tuple[bytes, int]], when: tuple[int, ...]) -> bytes:
    """A ZIP file with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (body, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(name, when)
            entry.create_system, entry.external_attr = UNIX, mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, body)
    return content.getvalue()


def faults(content: bytes, expected: dict[str, tuple[bytes, int]], size_max: int) -> list[str]:
    """The faults of an archive, read back from its bytes. Empty if it is correct."""
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if sorted(names) != sorted(expected):
            odd = sorted(set(names) ^ set(expected)) or names
            found.append(f"unexpected, missing or repeated entries: {', '.join(odd)}")
        for entry in archive.infolist():
            body, mode = expected.get(entry.filename, (None, None))
            if body is not None and (archive.read(entry) != body or entry.create_system != UNIX):
                found.append(f"{entry.filename}: differs from the packed file")
            if mode is not None and entry.external_attr >> 16 != mode:
                found.append(f"{entry.filename}: has mode {entry.external_attr >> 16:o} instead of {mode:o}")
    if len(content) > size_max:
        found.append(f"it has {len(content)} bytes, more than {size_max}: find the cause with `cargo bloat --release --crates`")
    return found
