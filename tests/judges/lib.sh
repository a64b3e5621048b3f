# Shared by the judges in bash. Sourced, not run; tests/judges/run sets JUDGE, JUDGE_TMP, JUDGES_CACHE, EMULATOR,
# HANDLER and APP.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
judges=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here judges
# The subscription of all resources that the judges create.
export SUBSCRIPTION=11111111-2222-4333-8444-555555555555

ok() { printf 'ok   %s: %s\n' "$JUDGE" "$1"; }
fail() { printf 'FAIL %s: %s — expected %s got %s\n' "$JUDGE" "$1" "${2@Q}" "${3@Q}"; }
skip() { printf 'skip %s: %s — %s\n' "$JUDGE" "$1" "$2"; }

# check WHAT EXPECTED ACTUAL
check() { if [[ $2 == "$3" ]]; then ok "$1"; else fail "$@"; fi; }

# check_has WHAT TEXT OUTPUT: whether the output contains the text.
check_has() { if [[ $3 == *"$2"* ]]; then ok "$1"; else fail "$@"; fi; }

# output COMMAND…: both output streams of a command; ignores its exit code.
output() { "$@" 2>&1 || true; }

# check_soon WHAT EXPECTED COMMAND…: the command's output must become the expected one within a minute.
check_soon() {
    local what=$1 expected=$2 got='' until=$((SECONDS + 60))
    shift 2
    while :; do
        got=$(output "$@")
        if [[ $got == "$expected" ]]; then ok "$what" && return; fi
        if ((SECONDS >= until)); then fail "$what" "$expected" "$got" && return; fi
    done
}

# once NAME FILE COMMAND…: the folder $JUDGES_CACHE/NAME-…, keyed by the content of FILE. If it does not exist, the
# command creates it, with the folder as its last argument.
once() {
    local folder
    folder=$JUDGES_CACHE/$1-$(sha256sum "$2" | cut -c1-12)
    shift 2
    if [[ ! -e $folder/.complete ]]; then
        rm -rf "$folder"
        "$@" "$folder" >&2
        touch "$folder/.complete"
    fi
    printf '%s\n' "$folder"
}

install_venv() {
    python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check --requirement "$1"
}
# venv NAME REQUIREMENTS: a folder with these packages.
venv() { once "$1" "$2" install_venv "$2"; }

install_node() {
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2"
    (cd "$2" && npm ci --silent --no-audit --no-fund --ignore-scripts)
}
# node_modules NAME FOLDER: a folder with the packages of FOLDER/package-lock.json.
node_modules() { once "$1" "$2/package-lock.json" install_node "$2"; }

# The Python with the Azure SDKs.
sdk_python() { printf '%s/bin/python\n' "$(venv sdk "$judges/requirements.txt")"; }

# start_emulator OPTION…: a local Azure; `address NAME` prints its addresses.
start_emulator() {
    stop_emulator
    coproc AZURE { exec "$EMULATOR" "$@"; }
    azure_pid=$AZURE_PID azure_stdin=${AZURE[1]}
    IFS= read -r addresses <&"${AZURE[0]}" || { printf 'the emulator did not start\n' >&2; exit 1; }
}
address() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$addresses" "$1"; }
# It stops when its standard input is closed.
stop_emulator() {
    [[ -n ${azure_pid:-} ]] || return 0
    exec {azure_stdin}>&-
    wait "$azure_pid" || true
    azure_pid=
}

# background COMMAND…: a process that ends at the latest with the judge.
background() {
    "$@" &
    background_pids+=($!)
}

# wait_for WHAT COMMAND…: until the command succeeds, at most 30 s.
wait_for() {
    local what=$1 until=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || { printf '%s did not come up\n' "$what" >&2; exit 1; }
        sleep 0.1
    done
}

# listens PORT: whether a port of loopback is open.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

# rust_tests PREFIX NAME=VALUE OPTION…: tests of this repository that need a judge's program, each a check.
rust_tests() {
    local prefix=$1 name result
    env "$2" cargo test --locked "${@:3}" -- --test-threads=1 >"$JUDGE_TMP/tests" 2>&1 || cat "$JUDGE_TMP/tests" >&2
    while read -r _ name _ result; do
        name=${name##*::}
        check "$prefix${name//_/ }" ok "$result"
    done < <(grep -E '^test .* \.\.\. ' "$JUDGE_TMP/tests")
    check_has "${prefix}every test has been run" "test result: ok." "$(grep '^test result' "$JUDGE_TMP/tests" || echo none)"
}

background_pids=()
clean_up() {
    local pid
    for pid in "${background_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    stop_emulator
    wait
}
trap clean_up EXIT
