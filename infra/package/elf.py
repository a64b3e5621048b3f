"""Checks whether the handler's executable starts on the Functions image: properties of the ELF file, and the remedy
for each fault.

Source of the limits: the images of Azure Functions 4 are Debian 11 and newer; 2.28 (Debian 10) leaves one release of
room below them. Nothing but the C library is sure to be on an image.
"""

import io
import re

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

GLIBC_MAX = (2, 28)
# Of the uncompressed executable; the archive has its own limit.
SIZE_MAX = 12 * 1024 * 1024
MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
C_LIBRARY = re.compile(r"(lib(c|m|dl|rt|pthread|util)\.so\.\d|ld-linux-(x86-64|aarch64)\.so\.\d)")

REBUILD = "build it by infra/package.sh, which links against an old C library by zig"


def faults(content: bytes, architecture: str) -> list[str]:
    """The faults of an executable for Linux on this architecture, each with its remedy. Empty if it is correct."""
    try:
        elf = ELFFile(io.BytesIO(content))
        return [*_kind(elf, architecture), *_libraries(elf), *_weight(elf, len(content))]
    except (ELFError, UnicodeDecodeError) as fault:
        return [f"it is not an ELF file ({fault}): {REBUILD}"]


def glibc(content: bytes) -> str:
    """The version of the C library that an executable needs, such as `2.17`; `none` for a static one."""
    versions = [version for version in map(_glibc, _needed(ELFFile(io.BytesIO(content)))) if version]
    return ".".join(map(str, max(versions))) if versions else "none"


def _kind(elf, architecture):
    machine = elf["e_machine"]
    if machine != MACHINES[architecture] or elf.elfclass != 64:
        yield f"it is for {machine}, {elf.elfclass} bits, not for {architecture}: pass --arch for the other one, or {REBUILD}"
    if elf["e_type"] not in ("ET_EXEC", "ET_DYN") or not elf["e_entry"]:
        yield f"it is not a program ({elf['e_type']}): package the executable `diskseal`, not a library or object file"


def _libraries(elf):
    for version in sorted(set(_needed(elf))):
        known = _glibc(version)
        if known is None:
            yield f"it needs the symbol version {version}, which is not on every image: {REBUILD}"
        elif known > GLIBC_MAX:
            most = ".".join(map(str, GLIBC_MAX))
            yield f"it needs {version}, but the oldest image may only have GLIBC_{most}: {REBUILD}"
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            for tag in section.iter_tags("DT_NEEDED"):
                if not C_LIBRARY.fullmatch(tag.needed):
                    yield f"it needs the library {tag.needed}, which is not on every image: link it statically, or remove the dependency"


def _weight(elf, size):
    if size > SIZE_MAX:
        yield f"it has {size} bytes, more than {SIZE_MAX}: find the cause with `cargo bloat --release --crates`"
    if elf.get_section_by_name(".debug_info") or elf.get_section_by_name(".symtab"):
        yield "it contains symbols or debug information: set strip = true in [profile.release] of Cargo.toml"


def _needed(elf):
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                yield from (version.name for version in versions)


def _glibc(version):
    """(2, 17) for `GLIBC_2.17`; None for anything that is not a public version of the C library."""
    match = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version)
    return tuple(map(int, match[1].split("."))) if match else None
