"""Whether a handler's executable starts on the Functions image: what is looked at in the ELF file, and what to do
about each fault.

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
# Uncompressed; the archive has a limit of its own.
SIZE_MAX = 12 * 1024 * 1024
MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
C_LIBRARY = re.compile(r"(lib(c|m|dl|rt|pthread|util)\.so\.\d|ld-linux-(x86-64|aarch64)\.so\.\d)")

REBUILD = "build it by infra/package.sh, which links against an old C library by zig"


def faults(content: bytes, architecture: str) -> list[str]:
    """What is wrong with an executable for Linux on this architecture, each with what to do; none if it is right."""
    try:
        elf = ELFFile(io.BytesIO(content))
        return [*_kind(elf, architecture), *_libraries(elf), *_weight(elf, len(content))]
    except (ELFError, UnicodeDecodeError) as fault:
        return [f"it is no ELF file ({fault}): {REBUILD}"]


def glibc(content: bytes) -> str:
    """The version of the C library that an executable needs, such as `2.17`; `none` for a static one."""
    versions = [version for version in map(_glibc, _needed(ELFFile(io.BytesIO(content)))) if version]
    return ".".join(map(str, max(versions))) if versions else "none"


def _kind(elf, architecture):
    machine = elf["e_machine"]
    if machine != MACHINES[architecture] or elf.elfclass != 64:
        yield f"it is for {machine}, {elf.elfclass} bits, not for {architecture}: pass --arch for the other one, or {REBUILD}"
    if elf["e_type"] not in ("ET_EXEC", "ET_DYN") or not elf["e_entry"]:
        yield f"it is no program ({elf['e_type']}): package the executable `diskseal`, no library or object file"


def _libraries(elf):
    for version in sorted(set(_needed(elf))):
        known = _glibc(version)
        if known is None:
            yield f"it needs the symbol version {version}, which no image promises: {REBUILD}"
        elif known > GLIBC_MAX:
            most = ".".join(map(str, GLIBC_MAX))
            yield f"it needs {version}, and the oldest image may have GLIBC_{most} only: {REBUILD}"
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            for tag in section.iter_tags("DT_NEEDED"):
                if not C_LIBRARY.fullmatch(tag.needed):
                    yield f"it needs the library {tag.needed}, which no image promises: link it statically, or do without"


def _weight(elf, size):
    if size > SIZE_MAX:
        yield f"it has {size} bytes, more than {SIZE_MAX}: see what has grown by `cargo bloat --release --crates`"
    if elf.get_section_by_name(".debug_info") or elf.get_section_by_name(".symtab"):
        yield "it carries symbols or debug information: set strip = true in [profile.release] of Cargo.toml"


def _needed(elf):
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                yield from (version.name for version in versions)


def _glibc(version):
    """(2, 17) of `GLIBC_2.17`; None for what is no public version of the C library."""
    match = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", version)
    return tuple(map(int, match[1].split("."))) if match else None
