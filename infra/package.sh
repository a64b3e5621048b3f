#!/usr/bin/env bash
# Builds the package to deploy: dist/diskseal-linux-x86_64.zip, its bill of materials (CycloneDX) and SHA256SUMS.
#
#   infra/package.sh [--arch x86_64|aarch64] [--output FOLDER]
#
# Requires a Rust toolchain with the target's standard library, Python 3.11 or newer, and access to the registries of
# both. zig links the executable against glibc 2.17 of 2012: the oldest version that Rust's standard library supports,
# and older than that of every image of Azure Functions.
# The build is reproducible in any folder: README.md beside this file says why.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

arch=x86_64 output=dist
while (($#)); do
    case $1 in
        --arch) arch=${2:?--arch needs x86_64 or aarch64}; shift 2 ;;
        --output) output=${2:?--output needs a folder}; shift 2 ;;
        *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
case $arch in x86_64 | aarch64) ;; *) die "--arch must be x86_64 (Azure Functions) or aarch64, not $arch" ;; esac
target=$arch-unknown-linux-gnu

sysroot=$(rustc --print sysroot) || die "no Rust toolchain found: install one from https://rustup.rs"
[[ -d $sysroot/lib/rustlib/$target/lib ]] ||
    die "the toolchain has no standard library for $target: rustup target add $target"
python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' ||
    die "no Python 3.11 or newer with venv found: install python3 and python3-venv"

folder=$(cargo metadata --format-version 1 --no-deps --locked |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
requirements=infra/package/requirements.txt
tools=$folder/package-tools-$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:12])' $requirements)
if [[ ! -e $tools/.complete ]]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $requirements
    touch "$tools/.complete"
fi

# Keeps paths of this machine out of panic messages. The last match counts.
registry=${CARGO_HOME:-$HOME/.cargo}
remaps=("$sysroot=/rust" "$registry=/cargo" "$PWD=/diskseal" "$folder=/target")
export CARGO_ENCODED_RUSTFLAGS=
for remap in "${remaps[@]}"; do
    CARGO_ENCODED_RUSTFLAGS+=${CARGO_ENCODED_RUSTFLAGS:+$'\x1f'}--remap-path-prefix=$remap
done
PATH=$tools/bin:$PATH cargo zigbuild --locked --release --package diskseal --bin diskseal --target "$target.2.17"

leaks=()
for remap in "${remaps[@]}"; do leaks+=(--leak "${remap%=*}"); done
version() { sed -n "s/^$1==\([^ ]*\).*/\1/p" $requirements; }
exec "$tools/bin/python" -B infra/package --binary "$folder/$target/release/diskseal" --arch "$arch" --output "$output" \
    "${leaks[@]}" \
    --tool "rustc=$(rustc --version | cut -d' ' -f2-)" \
    --tool "cargo-zigbuild=$(version cargo-zigbuild)" --tool "ziglang=$(version ziglang)"
