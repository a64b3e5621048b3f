"""The software bill of materials: every crate that is compiled into the handler, as CycloneDX 1.6.

It is what Cargo says of the dependency tree for the target, without what only builds or tests use. What is not
known is left out, and nothing in it depends on the time or the place of the build.
"""

import json
import subprocess
import tomllib
import uuid
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def document(root: Path, target: str, binary_sha256: str, tools: dict[str, str]) -> dict:
    """The document for the handler at `root`. `tools` are the programs that made it, with their versions."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    edges = {node["id"]: _linked(node, packages) for node in metadata["resolve"]["nodes"]}
    handler = metadata["resolve"]["root"]
    crates = sorted(_reached(handler, edges) - {handler}, key=lambda crate: _purl(packages[crate]))
    locked = tomllib.loads((root / "Cargo.lock").read_text())["package"]
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}

    main = _component(packages[handler], None) | {"type": "application"}
    main["hashes"] = [{"alg": "SHA-256", "content": binary_sha256}]
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
        ],
        "dependencies": [
            {
                "ref": _purl(packages[crate]),
                "dependsOn": sorted(_purl(packages[used]) for used in edges[crate]),
            }
            for crate in [handler, *crates]
        ],
    }
    # The serial number must be unique to the content, so it is made of it.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **body,
    }


def _linked(node, packages):
    """The packages that a package is linked with. Procedural macros run in the compiler, and are not in the binary."""
    return [
        dep["pkg"]
        for dep in node["deps"]
        if any(kind["kind"] is None for kind in dep["dep_kinds"])
        and not any("proc-macro" in kind for kind in (target["kind"] for target in packages[dep["pkg"]]["targets"]))
    ]


def _reached(start, edges):
    seen, open_ends = set(), [start]
    while open_ends:
        crate = open_ends.pop()
        if crate not in seen:
            seen.add(crate)
            open_ends.extend(edges[crate])
    return seen


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
    if package["source"] == REGISTRY and checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return component
