"""The software bill of materials: every crate that is linked into the handler, as CycloneDX 1.6.

It is what Cargo says of the dependency tree for the target, without what only builds or tests use; procedural macros
run in the compiler, and are not in the executable. The standard library and its own crates come with the toolchain, and
are read from the paths in the executable. `faults` compares the whole with those paths. What is not known is left out,
and nothing in it depends on the time or the place of the build.
"""

import hashlib
import json
import re
import subprocess
import tomllib
import uuid
from pathlib import Path


# Paths of sources in messages of panics: crates of the standard library, those of a registry, the library itself.
STANDARD_CRATE = re.compile(rb"/rust/deps/([a-z][a-z0-9_-]*?)-(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/")
REGISTRY_CRATE = re.compile(rb"/registry/src/[^/\0]+/([A-Za-z][A-Za-z0-9_-]*?)-(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/")


def document(root: Path, target: str, binary: bytes, tools: dict[str, str]) -> dict:
    """The document for the handler at `root`. `tools` are the programs that made it, with their versions."""
    edges = _linked(root, target)
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
    packages = {_purl(package): package for package in metadata["packages"]}
    handler, *_ = (purl for purl in edges if purl.startswith("pkg:cargo/diskseal@"))
    crates = sorted(edges.keys() - {handler})
    locked = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}

    standard = _standard_library(binary, tools["rustc"].split()[0], crates)

    main = _component(packages[handler], None) | {"type": "application"}
    main["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(binary).hexdigest()}]
    main["properties"] = [{"name": "diskseal:target", "value": target}]
    body = {
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": name, "version": version} for name, version in sorted(tools.items())
                ]
            },
            "component": main,
        },
        "components": [
            _component(packages[crate], checksums[packages[crate]["name"], packages[crate]["version"]])
            for crate in crates
        ]
        + standard,
        "dependencies": [{"ref": crate, "dependsOn": sorted(edges[crate])} for crate in [handler, *crates]]
        + [{"ref": part["bom-ref"], "dependsOn": []} for part in standard],
    }
    # The serial number must be unique to the content, so it is derived from it.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **body,
    }


def faults(binary: bytes, bill: dict) -> list[str]:
    """The crates whose paths are in the executable and which the document does not name."""
    named = {(part["name"], part["version"]) for part in [bill["metadata"]["component"], *bill["components"]]}
    seen = {
        (name.decode(), version.decode())
        for pattern in (STANDARD_CRATE, REGISTRY_CRATE)
        for name, version in pattern.findall(binary)
    }
    return [
        f"{name} {version} is in the executable and not in the bill of materials" for name, version in sorted(seen - named)
    ]


def _standard_library(binary, rustc, crates):
    """The standard library, and those of its crates that the executable names."""
    seen = {(name.decode(), version.decode()) for name, version in STANDARD_CRATE.findall(binary)}
    parts = [("std", rustc, f"pkg:generic/rust-std@{rustc}")]
    parts += [(name, version, f"pkg:cargo/{name}@{version}") for name, version in sorted(seen)]
    return [
        {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        for name, version, purl in parts
        if purl not in crates
    ]


def _linked(root, target):
    """Every linked package and its dependencies. `cargo metadata` would add features that only tests enable."""
    command = ["cargo", "tree", "--locked", "--package", "diskseal", "--target", target, "--no-dedupe"]
    command += ["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", " {p}"]
    tree = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    edges, path = {}, []
    for line in tree.splitlines():
        depth, name, version, *_ = line.split()
        purl = _purl({"name": name, "version": version.removeprefix("v")})
        path[int(depth) :] = [purl]
        edges.setdefault(purl, set())
        if len(path) > 1:
            edges[path[-2]].add(purl)
    return edges


def _purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def _component(package, checksum):
    component = {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": _purl(package),
    }
    if package["description"]:
        component["description"] = " ".join(package["description"].split())
    if package["license"]:
        # Old manifests write `MIT/Apache-2.0`.
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    # Only packages from a registry have a checksum.
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return component
