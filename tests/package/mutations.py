"""Plants mistakes in the content of the package: each must be reported, with helpful words.

    tests/package/mutations.py EXECUTABLE FOLDER

`EXECUTABLE` is a build of `infra/package.sh`; `FOLDER` is for copies. It runs in the tools' environment.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/package"))

import archive  # noqa: E402
import elf  # noqa: E402
import sbom  # noqa: E402

executable, folder = Path(sys.argv[1]), Path(sys.argv[2])
binary = executable.read_bytes()
fails = 0


def told(what: str, faults: list[str], words: str) -> None:
    global fails
    is_told = any(words in fault for fault in faults)
    print(f"{'ok  ' if is_told else 'FAIL'} {what}: {'; '.join(faults) or 'nothing was reported'}")
    fails += not is_told


def refused(what: str, words: str, change) -> None:
    """Changes a copy of the content, and packs it."""
    root = folder / what.replace(" ", "-")
    root.mkdir(parents=True)
    shutil.copy(ROOT / "host.json", root)
    shutil.copytree(ROOT / "function-definitions", root / "function-definitions")
    change(root)
    try:
        archive.entries(root, binary)
        told(what, [], words)
    except (archive.Fault, OSError, ValueError) as fault:
        told(what, [str(fault)], words)


def edited(name: str, edit):
    def change(root: Path) -> None:
        path = root / name
        path.write_text(edit(path.read_text()))

    return change


assert elf.faults(binary, "x86_64") == [], elf.faults(binary, "x86_64")

# The executable.
told("another architecture", elf.faults(binary, "aarch64"), "not for aarch64")
arm = bytearray(binary)
struct.pack_into("<H", arm, 18, 183)
told("an executable for ARM", elf.faults(bytes(arm), "x86_64"), "EM_AARCH64")
told("a script", elf.faults(b"#!/bin/sh\n", "x86_64"), "not an ELF file")
told("half an executable", elf.faults(binary[:3000], "x86_64"), "")
newest = max(set(elf._needed(elf.ELFFile(elf.io.BytesIO(binary)))), key=lambda name: elf._glibc(name) or (0,))
too_new = binary.replace(newest.encode() + b"\0", b"GLIBC_2.99"[: len(newest)].ljust(len(newest), b"9") + b"\0")
told("a symbol of a newer C library", elf.faults(too_new, "x86_64"), "the oldest image may only have")
told("a library that no image has", elf.faults(binary.replace(b"libm.so.6\0", b"libz.so.1\0"), "x86_64"), "link it statically")
with_symbols = executable.with_name("diskseal-with-symbols")
subprocess.run(
    ["cc", "-x", "c", "-", "-o", with_symbols], input=b"int main(void) { return 0; }", check=True, capture_output=True
)
told("an executable with its symbols", elf.faults(with_symbols.read_bytes(), "x86_64"), "strip = true")
with_symbols.unlink()

# The archive.
when = archive.moment()
files = archive.entries(ROOT, binary)
good = archive.packed(files, when)
assert archive.faults(good, files, len(good)) == []
body, _ = files["diskseal"]
bare = files | {"diskseal": (body, archive.READABLE)}
told("no run bit", archive.faults(archive.packed(bare, when), files, len(good)), "has mode 100644 instead of 100755")
more = files | {"local.settings.json": (b"{}", archive.READABLE)}
told("a file too many", archive.faults(archive.packed(more, when), files, 2 * len(good)), "local.settings.json")
fewer = {name: file for name, file in files.items() if name != "sweep/function.json"}
told("a function too few", archive.faults(archive.packed(fewer, when), files, len(good)), "sweep/function.json")
told("too many bytes", archive.faults(good, files, len(good) - 1), "cargo bloat")
later = archive.packed(files, (2026, 1, 1, 0, 0, 0))
told("another time gives other bytes", ["differs"] if later != good else [], "differs")
os.environ["SOURCE_DATE_EPOCH"] = "yesterday"
try:
    archive.moment()
    told("a time that is none", [], "seconds since 1970")
except archive.Fault as fault:
    told("a time that is none", [str(fault)], "seconds since 1970")
del os.environ["SOURCE_DATE_EPOCH"]

# The bill of materials.
bill = sbom.document(ROOT, "x86_64-unknown-linux-gnu", binary, {"rustc": "1.0.0 (test)"})
assert sbom.faults(binary, bill) == [], sbom.faults(binary, bill)
for name in ["addr2line", "tokio", "diskseal", "std"]:
    assert any(part["name"] == name for part in [bill["metadata"]["component"], *bill["components"]]), name
for name in ["addr2line", "tokio"]:
    fewer = bill | {"components": [part for part in bill["components"] if part["name"] != name]}
    told(f"{name} is not named", sbom.faults(binary, fewer), f"{name} ")
more = binary + b"/cargo/registry/src/index/left-pad-1.3.0/src/lib.rs"
told("a crate that Cargo does not know", sbom.faults(more, bill), "left-pad 1.3.0 is in the executable")

# What is packed.
refused("a file beside a function", "function.json", lambda root: (root / "function-definitions/sweep/notes.txt").write_text("x"))
refused("a folder without a function", "function.json", lambda root: (root / "function-definitions/empty").mkdir())
refused("host.json that is none", "", edited("host.json", lambda text: text[:-10]))
refused("a path as the executable", "bare name", edited("host.json", lambda text: text.replace('"diskseal"', '"bin/diskseal"')))
without = lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "customHandler"})  # noqa: E731
refused("no executable", "bare name", edited("host.json", without))

sys.exit(fails > 0)
