"""Records what a command and Azure say to each other, as an addon of mitmproxy.

tests/live/record starts it. The exchanges stay in memory until they are scrubbed; a recording that still holds
something is not written.
"""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scrub import Leak, Scrubber  # noqa: E402

# Resource Manager, the data of a storage account, and Log Analytics. The sign-in is not among them.
RECORDED = re.compile(os.environ.get("DISKSEAL_RECORD_HOSTS", r"^management\."))
ROLES = Path(__file__).resolve().parents[2] / "infra" / "role-actions.json"


def body_of(message):
    """A body as JSON, text, bytes or nothing."""
    raw = message.content
    if not raw:
        return None
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        pass
    try:
        return raw.decode()
    except ValueError:
        return raw


def headers_of(message):
    """Each header once, with a list where it came several times."""
    found = {}
    for name, value in message.headers.items(multi=True):
        known = next((one for one in found if one.lower() == name.lower()), name)
        found[known] = value if known not in found else [*(found[known] if isinstance(found[known], list) else [found[known]]), value]
    return found


class Recorder:
    def __init__(self):
        self.exchanges = []

    def running(self):
        # Not at the top, so that a test needs no mitmproxy.
        from mitmproxy import ctx

        host, port = ctx.master.addons.get("proxyserver").listen_addrs()[0][:2]
        # Whoever waits for the proxy reads its address from here.
        with open(os.environ["DISKSEAL_RECORD_READY"], "w") as ready:
            ready.write(f"{host}:{port}\n")

    def response(self, flow):
        if not RECORDED.search(flow.request.pretty_host):
            return
        request = {"method": flow.request.method, "uri": flow.request.pretty_url, "body": body_of(flow.request)}
        response = {"status": flow.response.status_code, "headers": headers_of(flow.response), "body": body_of(flow.response)}
        self.exchanges.append((request, response))

    def done(self):
        target = Path(os.environ["DISKSEAL_RECORD_FILE"])
        public = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", ROLES.read_text())
        public += ["c3921d55-b741-4d16-8d56-7f16e99e6892"]
        try:
            found = Scrubber(public).recording(f"tests/live: {target.stem}", self.exchanges)
        except Leak as leak:
            print(f"{target.name} is not written: {leak}", file=sys.stderr)
            return
        target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


addons = [Recorder()]
