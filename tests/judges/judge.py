"""Shared by the judges in Python: checks, and a local Azure."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

JUDGE = os.environ.get("JUDGE", "judge")
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
ARM_SCOPE = "https://management.azure.com/.default"


def resource(kind, name, group="rg-data"):
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}/{name}"


def say(word, what, more=""):
    print(f"{word:4} {JUDGE}: {what}{more}", flush=True)


def skip(what, why):
    say("skip", what, f" — {why}")


def check(what, expected, actual):
    """One check. `actual` can be a function, whose exception counts as its result."""
    if callable(actual):
        try:
            actual = actual()
        except Exception as error:  # whatever a client throws is what it says
            actual = error
    if expected == actual:
        say("ok", what)
    else:
        say("FAIL", what, f" — expected {expected!r} got {actual!r}")


def refuses(what, expected, call, text=""):
    """A call that must fail with this type of exception and `text` in its message."""
    try:
        answer = call()
    except expected as error:
        found = str(error)
        if text in found:
            say("ok", what)
        else:
            say("FAIL", what, f" — expected {expected.__name__} with {text!r} got {found!r}")
    except Exception as error:
        say("FAIL", what, f" — expected {expected.__name__} got {type(error).__name__}: {error}")
    else:
        say("FAIL", what, f" — expected {expected.__name__} got {answer!r}")


def soon(call, fits, limit=60.0):
    """Calls until the result matches or the time is over; returns the last result."""
    until = time.monotonic() + limit
    while True:
        found = call()
        if fits(found) or time.monotonic() > until:
            return found
        time.sleep(0.05)


def free_ports(count):
    """Closed ports of loopback, which the system assigned a moment ago."""
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in opened]


def listens(port):
    """Whether a port of loopback is open."""
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(*command, log, **more):
    """A program in the background, with output to a file. It is killed if it does not stop on request."""
    with open(os.path.join(os.environ["JUDGE_TMP"], log), "wb") as file:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, **more)
        try:
            yield running
        finally:
            if running.poll() is not None:
                with open(file.name, encoding="utf-8", errors="replace") as told:
                    print(f"{command[0]} has ended by itself:\n{told.read()[-2000:]}", file=sys.stderr)
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def emulator(*options, handler=False, settings=()):
    """A local Azure, as a dictionary of its addresses; and the environment for clients."""
    command = [os.environ["EMULATOR"], *options]
    if handler:
        command += ["--handler", os.environ["HANDLER"], "--app", os.environ["APP"]]
        for setting in ("DISKSEAL_ARM_ENDPOINT={arm}", "DISKSEAL_SWEEP_SCHEDULE=0 17 * * * *", *settings):
            command += ["--setting", setting]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        if not line:
            sys.exit("the emulator did not start")
        addresses = json.loads(line)
        os.environ["REQUESTS_CA_BUNDLE"] = addresses["caPem"]
        os.environ["IDENTITY_ENDPOINT"] = addresses["identityEndpoint"]
        os.environ["IDENTITY_HEADER"] = addresses["identityHeader"]
        yield addresses
    finally:
        # It stops when its standard input is closed.
        process.stdin.close()
        process.wait()
