"""The tables of docs/performance.md, and the figures of README.md, from the rounds of benches/peers/run."""

import os
import platform
import re
import statistics
import subprocess
from datetime import datetime, timezone
from pathlib import Path

BEGIN, END = "<!-- benches/peers/run writes from here -->", "<!-- benches/peers/run writes to here -->"
NAMES = {
    "diskseal": "**Diskseal**",
    "diskseal-otlp": "**Diskseal**, traces, metrics and logs exported",
    "node-lean": "Node, undici alone",
    "node-sdk": "Node, Azure SDK",
    "python-sdk": "Python, Azure SDK",
    "custodian": "Cloud Custodian, an action for the mode, and `tag`",
}
COLUMNS = [
    ("start_ms", "start to first event, ms", 0),
    ("alone_p50_ms", "one at a time, p50, ms", 2),
    ("alone_p99_ms", "p99, ms", 2),
    ("per_second", "events/s, 64 in flight", 0),
    ("busy_p99_ms", "p99 there, ms", 0),
    ("cpu_ms", "CPU an event, ms", 3),
    ("peak_mib", "peak memory, MiB", 0),
    ("requests", "requests an event", 1),
]


def values(rounds, key):
    """The values of all rounds; a round has several starts."""
    return [value for one in rounds for value in (one[key] if isinstance(one[key], list) else [one[key]])]


def number(value, digits):
    return f"{value:,.{digits}f}"


def cell(rounds, key, digits):
    """The median, and the smallest and largest value where they differ."""
    found = values(rounds, key)
    middle, least, most = (number(value, digits) for value in (statistics.median(found), min(found), max(found)))
    return middle if least == most else f"{middle} ({least}–{most})"


def table(rounds):
    head = " | ".join(title for _, title, _ in COLUMNS)
    lines = [f"| handler | {head} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    for name, label in NAMES.items():
        if name in rounds:
            lines.append(f"| {label} | {' | '.join(cell(rounds[name], key, digits) for key, _, digits in COLUMNS)} |")
    return "\n".join(lines)


def first_line(*command):
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    return run.stdout.splitlines()[0].strip() if run.returncode == 0 and run.stdout else "unknown"


def pinned(requirements, *names):
    """The versions of packages, as a file of requirements has them."""
    lines = dict(line.replace("_", "-").split("==") for line in requirements.read_text().splitlines() if "==" in line)
    return ", ".join(f"{name} {lines[name]}" for name in names)


def machine(root, binary):
    """What the figures depend on, one line each. `binary` is the executable that was given, if one was."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    peers = root / "benches" / "peers"
    package = (peers / "node" / "package.json").read_text()
    node = ", ".join(f"{name} {version}" for name, version in re.findall(r'"(@?[\w/-]+)": "(\d[\d.]+)"', package))
    changed = first_line("git", "-C", root, "status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.lock")
    commit = f"commit {first_line('git', '-C', root, 'rev-parse', '--short=10', 'HEAD')}{'' if changed == 'unknown' else ', changed'}"
    built = f"{commit}, release profile, {first_line('rustc', '--version')}"
    return {
        "measured": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.processor()}, {int(memory[1]) / 1024**2:.0f} GiB, Linux {platform.release()}",
        "load before it": f"{os.getloadavg()[0]:.1f} processes ready to run, of {os.cpu_count()} cores",
        "Diskseal": "an executable that was given by --binary" if binary else built,
        "Node": f"{first_line('node', '--version')}; {node}",
        "Python": f"{platform.python_version()}; {pinned(peers / 'python' / 'requirements.txt', 'aiohttp', 'azure-core', 'azure-identity', 'azure-mgmt-compute')}",
        "Custodian": pinned(peers / "custodian" / "requirements.txt", "c7n", "c7n-azure", "azure-functions"),
    }


BUSY = "\n\n**The machine was busy with other work during this run.** Only what differs by several times says something."


def section(rounds, machine, plan):
    facts = "\n".join(f"| {name} | {value} |" for name, value in machine.items())
    load, cores = float(machine["load before it"].split()[0]), os.cpu_count()
    return f"""{table(rounds)}

Median of {plan.rounds} rounds, and the smallest and largest value. In each round every handler is started anew, {plan.busy} s of 64 events in flight follow {plan.alone} s of one at a time, and the order turns from round to round.{BUSY if load > cores / 2 else ""}

| what | value |
| --- | --- |
{facts}
| command | `benches/peers/run` |"""


def sentence(rounds):
    """Three figures for README.md."""

    def middle(name, key, digits):
        return number(statistics.median(values(rounds[name], key)), digits)

    start, node = middle("diskseal", "start_ms", 0), middle("node-lean", "start_ms", 0)
    p99, node_p99 = middle("diskseal", "alone_p99_ms", 2), middle("node-lean", "alone_p99_ms", 2)
    memory, node_memory = middle("diskseal", "peak_mib", 0), middle("node-lean", "peak_mib", 0)
    return (
        f"The handler answers its first event {start} ms after its start (the leanest handler in Node: {node} ms), "
        f"takes {p99} ms at most for 99 of 100 events, Azure's own time left out (Node: {node_p99} ms), "
        f"and needs {memory} MiB of memory with 64 events in flight (Node: {node_memory} MiB). "
        "[docs/performance.md](docs/performance.md) has the machine, the versions, the other handlers and the command that repeats it."
    )


def replaced(text, new):
    """The text with `new` between the marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{new}\n{END}{after}"


def write(root, text, rounds):
    for path, new in ((root / "docs" / "performance.md", text), (root / "README.md", sentence(rounds))):
        path.write_text(replaced(path.read_text(), new))
