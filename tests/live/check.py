"""Checks that recordings of real runs say nothing of anybody, and still hold what a test replays.

    check.py [--write]

A line a check, as tests/infra/check.py prints them. --write renews sample.json, which tests/it/recorded reads.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scrub import Leak, Scrubber, wire

HERE = Path(__file__).resolve().parent
SUB, TENANT, USER, APP = "8d1f3a52-77aa-4c1d-9be0-0c9f00c0ffee", "aa11bb22-cc33-4d44-8e55-ff6677889900", "0f0f0f0f-1111-4222-8333-444455556666", "deadbeef-0000-4111-8222-933344445555"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJqYW5lIiwidXBuIjoiamFuZUBjb250b3NvLmNvbSJ9.c2lnbmF0dXJlLW9mLWphbmU"
SIGNATURE = "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A%3D"
CERTIFICATE = "MIIHpTCCBo2gAwIBAgITfwTzLW9mPtIHbQAEBPMtbzANBgkqhkiG9w0BAQsFADBEMRMwEQ"
COMPUTE = f"https://management.azure.com/subscriptions/{SUB}/resourceGroups/RG-Payroll-Prod/providers/Microsoft.Compute"
OPERATION = f"https://management.azure.com/subscriptions/{SUB}/providers/Microsoft.Compute/locations/westeurope/DiskOperations/{APP}?p={TENANT}&api-version=2024-03-02&t=638412345678901234&c={CERTIFICATE}&s={SIGNATURE}&h=hash-of-9e107d9d372bb6826bd81d3542a419d6"
DISK = {
    "name": "vm-jane-os", "id": f"/subscriptions/{SUB}/resourceGroups/RG-PAYROLL-PROD/providers/Microsoft.Compute/disks/vm-jane-os",
    "type": "Microsoft.Compute/disks", "location": "westeurope", "tags": {"owner": "Jane Doe", "costCenter": "4711-payroll", "diskseal-sealed-at": "2026-11-26T20:00:00Z"},
    "managedBy": f"/subscriptions/{SUB}/resourceGroups/RG-PAYROLL-PROD/providers/Microsoft.Compute/virtualMachines/vm-jane",
    "properties": {"uniqueId": APP, "diskSizeGB": 4, "dataAccessAuthMode": "AzureActiveDirectory", "provisioningState": "Succeeded", "timeCreated": "2026-11-26T19:59:58.1234567+00:00"},
}
LENGTH = str(len(wire(DISK)))
# Everything that must not be in a recording, however it is spelled.
GONE = [SUB, TENANT, USER, APP, TOKEN, SIGNATURE, CERTIFICATE, "jane", "jane doe", "payroll", "contoso", "stpayroll", "4711", "198.51.100.23", "2001:db8", "hunter2", "c29tZWJvZHlzLWtleS1vZi1hLXN0b3JhZ2UtYWNjb3VudA", "AAEAAAD", "638412345678901234"]
EXCHANGES = [
    ({"method": "PATCH", "uri": f"{COMPUTE}/disks/vm-jane-os?api-version=2024-03-02", "body": {"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}}},
     {"status": 202, "headers": {"Azure-AsyncOperation": OPERATION, "Location": OPERATION.replace("&t=", "&monitor=true&t="), "Retry-After": "2", "Set-Cookie": f"session={TOKEN}", "x-ms-ratelimit-remaining-resource": "Microsoft.Compute/CreateUpdateDisks3Min;998",
                                 "x-ms-served-by": f"{TENANT}_133119746735578273", "WWW-Authenticate": f'Bearer authorization_uri="https://login.windows.net/{TENANT}"', "x-ms-correlation-request-id": USER},
      "body": {"properties": {"provisioningState": "Updating"}, "name": "vm-jane-os"}}),
    ({"method": "GET", "uri": OPERATION, "body": None},
     {"status": 200, "headers": {"content-type": "application/json; charset=utf-8"}, "body": {"startTime": "2026-11-26T20:00:01Z", "endTime": "2026-11-26T20:00:02Z", "status": "Succeeded", "properties": {"output": DISK}, "name": APP}}),
    ({"method": "GET", "uri": f"{COMPUTE}/disks/vm-jane-os?api-version=2024-03-02", "body": None}, {"status": 200, "headers": {"Content-Length": LENGTH}, "body": DISK}),
    ({"method": "PATCH", "uri": f"{COMPUTE}/disks/vm-jane-os?api-version=2024-03-02", "body": {"properties": {"dataAccessAuthMode": "AzureActiveDirectory"}}},
     {"status": 409, "headers": {}, "body": {"error": {"code": "ScopeLocked", "message": f"The scope '{DISK['id']}' cannot perform write operation because following scope(s) are locked: '/subscriptions/{SUB}/resourceGroups/RG-Payroll-Prod'. Please remove the lock and try again."}}}),
    # A name of one exchange in the text of another, with an address, a mail address and an object ID.
    ({"method": "POST", "uri": f"{COMPUTE}/disks/vm-jane-os/beginGetAccess?api-version=2024-03-02", "body": {"access": "Read"}},
     {"status": 403, "headers": {}, "body": {"error": {"code": "AuthorizationFailed", "message": f"The client 'jane.doe@contoso.com' with object id '{USER}' at 198.51.100.23 or 2001:db8:85a3:8d3:1319:8a2e:370:7348 does not have authorization to perform action 'Microsoft.Compute/disks/beginGetAccess/action' over scope '{DISK['id']}' of VM-JANE. Token: {TOKEN}"}}}),
    ({"method": "POST", "uri": f"{COMPUTE}/disks/vm-jane-os/beginGetAccess?api-version=2024-03-02", "body": None},
     {"status": 200, "headers": {}, "body": {"accessSAS": f"https://md-hdd-x1.z6.blob.storage.azure.net/abcd/container?sv=2024-11-04&sr=b&sig={SIGNATURE}&skoid={USER}&sktid={TENANT}", "note": f"see https://wiki.contoso.com/jane and https://stpayrollprod.blob.core.windows.net/c/b?sig={SIGNATURE}&se=2026-11-27T00%3A00%3A00Z"}}),
    ({"method": "GET", "uri": f"https://management.azure.com/subscriptions/{SUB}/providers/microsoft.insights/eventtypes/management/values?api-version=2015-04-01&$filter=resourceGroupName eq 'RG-Payroll-Prod'&access_token={TOKEN}", "body": None},
     {"status": 200, "headers": {}, "body": {"value": [{"caller": "jane.doe@contoso.com", "claims": {"name": "Jane Doe", "ipaddr": "198.51.100.23", "appid": APP, "iat": 1764187200, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "jane.doe@contoso.com", "groups": ["payroll-admins"]},
                                                        "authorization": {"action": "Microsoft.Compute/disks/write", "scope": DISK["id"], "evidence": {"role": "Jane's role", "principalId": USER.replace("-", "")}}, "httpRequest": {"clientIpAddress": "198.51.100.23", "method": "PUT"}}],
                                             "nextLink": f"https://management.azure.com/subscriptions/{SUB}/next?$skiptoken={SIGNATURE}"}}),
    ({"method": "POST", "uri": f"https://management.azure.com/subscriptions/{SUB}/resourceGroups/rg-payroll-prod/providers/Microsoft.Web/sites/func-payroll/config/appsettings/list?api-version=2024-11-01", "body": None},
     {"status": 200, "headers": {}, "body": {"properties": {"DISKSEAL_MODE": "audit", "DISKSEAL_SUBSCRIPTIONS": SUB, "DB_PASSWORD": "hunter2", "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={APP};IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/"}}}),
    ({"method": "POST", "uri": f"https://management.azure.com/subscriptions/{SUB}/resourceGroups/rg-payroll-prod/providers/Microsoft.Storage/storageAccounts/stpayrollprod/listKeys?api-version=2024-01-01", "body": None},
     {"status": 200, "headers": {}, "body": {"keys": [{"keyName": "key1", "value": "c29tZWJvZHlzLWtleS1vZi1hLXN0b3JhZ2UtYWNjb3VudA0123456789=="}]}}),
    ({"method": "GET", "uri": f"https://management.azure.com/subscriptions/{SUB}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=assignedTo('{USER}')", "body": None},
     {"status": 200, "headers": {}, "body": {"value": [{"properties": {"roleDefinitionId": f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}", "principalId": USER, "createdBy": "jane.doe@contoso.com"}}]}}),
    ({"method": "GET", "uri": f"https://stpayrollprod.queue.core.windows.net/diskseal-pending/messages?peekonly=true&sv=2024-11-04&sig={SIGNATURE}", "body": None},
     {"status": 200, "headers": {"x-ms-version": "2024-11-04"}, "body": f"<QueueMessagesList><MessageText>{DISK['id']}</MessageText></QueueMessagesList>"}),
    ({"method": "PUT", "uri": "https://stpayrollprod.blob.core.windows.net/deployment/payroll.zip", "body": b"PK\x03\x04AAEAAAD"}, {"status": 201, "headers": {}, "body": None}),
]


def said(what, is_so, told=""):
    print(f"ok   live: {what}" if is_so else f"FAIL live: {what} — {told}", flush=True)
    return is_so


def refuses(change):
    """Whether a scrubber with this mistake refuses what it has made."""
    scrubber = Scrubber([CONTRIBUTOR])
    change(scrubber)
    try:
        scrubber.recording("", EXCHANGES)
    except Leak:
        return True
    return False


# Stands in for mitmproxy: says where it listens, and when it is ended hands its exchanges to the addon.
PROXY = """#!{python}
import os, signal, sys, types
from pathlib import Path
sys.path.insert(0, {here!r})
import record
trusted = Path(next(one.split("=", 1)[1] for one in sys.argv if one.startswith("confdir=")))
trusted.mkdir()
(trusted / "mitmproxy-ca-cert.pem").write_text("authority of this run\\n")
recorder = record.Recorder()
def message(url, body, **more):
    headers = types.SimpleNamespace(items=lambda multi: [("Retry-After", "2"), ("Server", "a"), ("Server", "b")])
    return types.SimpleNamespace(pretty_host=url.split("/")[2], pretty_url=url, method="GET", headers=headers, content=body, **more)
def end(*_):
    for url in ("https://login.microsoftonline.com/t/token", "https://management.azure.com/subscriptions/{sub}/providers/Microsoft.Compute/disks/vm-jane?api-version=2024-03-02"):
        recorder.response(types.SimpleNamespace(request=message(url, b""), response=message(url, b'{{"name": "vm-jane"}}', status_code=200)))
    recorder.done()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
Path(os.environ["DISKSEAL_RECORD_READY"]).write_text("127.0.0.1:4321\\n")
signal.pause()
"""


def recorder():
    """tests/live/record, with a stand-in for mitmproxy."""
    with tempfile.TemporaryDirectory() as folder:
        tools, records = Path(folder) / "python/bin", Path(folder) / "records"
        tools.mkdir(parents=True)
        (tools / "mitmdump").write_text(PROXY.format(python=sys.executable, here=str(HERE), sub=SUB))
        (tools / "mitmdump").chmod(0o755)
        shown = 'printf "%s\\n" "$HTTPS_PROXY" "$NO_PROXY" && head -n 1 "$SSL_CERT_FILE" && [ "$SSL_CERT_FILE" = "$REQUESTS_CA_BUNDLE" ] && exit 3'
        environment = {**os.environ, "DISKSEAL_LIVE_PYTHON": str(tools.parent), "DISKSEAL_LIVE_RECORDS": str(records), "NO_PROXY": "*"}
        done = subprocess.run([HERE / "record", "try", "sh", "-c", shown], env=environment, text=True, capture_output=True, timeout=60)
        written = records / "try.json"
        found = json.loads(written.read_text())["exchanges"] if written.exists() else []
        yield said("a step runs behind the recorder, trusts it, and keeps its exit code", (done.returncode, done.stdout.split("\n")[:3]) == (3, ["http://127.0.0.1:4321", "", "authority of this run"]), done)
        yield said("... Azure's answers are recorded, and the sign-in is not", [one["label"] for one in found] == ["get-disks-1"] and found[0]["response"]["headers"]["Server"] == ["a", "b"], done.stderr)
        yield said("... without the names", found and "jane" not in json.dumps(found), found)
        without = subprocess.run([HERE / "record", "try", "sh", "-c", "exit 4"], env={**os.environ, "DISKSEAL_LIVE_RECORDS": ""}, timeout=60)
        yield said("without a folder for records a step only runs", without.returncode == 4, without)


def main():
    gone = "IDs, names, tokens, signatures and claims are gone, in addresses, headers, bodies and texts"
    try:
        found = Scrubber([CONTRIBUTOR]).recording("tests/live: sample", EXCHANGES)
    except Leak as leak:
        sys.exit(not said(gone, False, leak))
    text = json.dumps(found, ensure_ascii=False).lower()
    left = [one for one in GONE if one.lower() in text or (len(one) == 36 and one.replace("-", "").lower() in text)]
    checks = [said(gone, not left, f"{left}")]
    first, poll, disk, locked, refused, grant, log, settings, keys, roles, queue, package = found["exchanges"]
    operation = first["response"]["headers"]["Azure-AsyncOperation"]
    checks += [
        said("the same value is always replaced by the same one", operation == poll["request"]["uri"] and poll["response"]["body"]["properties"]["output"] == disk["response"]["body"], operation),
        said("an address keeps its path and the length of its parameters", f"-char c>" in operation and f"<{len(CERTIFICATE)}-char c>" in operation and "/DiskOperations/00000000-0000-4000-8000-" in operation, operation),
        said("a group in capitals stays in capitals, and a name follows its type", "/resourceGroups/RG-1/" in disk["response"]["body"]["id"] and disk["response"]["body"]["name"] == "disk-1" and "/resourceGroups/rg-1/" in settings["request"]["uri"], disk),
        said("statuses, codes, waits, limits and forms stay", (refused["response"]["status"], refused["response"]["body"]["error"]["code"], first["response"]["headers"]["Retry-After"]) == (403, "AuthorizationFailed", "2") and "x-ms-ratelimit-remaining-resource" in first["response"]["headers"], refused),
        said("a built-in role keeps its ID", CONTRIBUTOR in json.dumps(roles), roles),
        said("settings of Diskseal stay, others do not", settings["response"]["body"]["properties"]["DISKSEAL_MODE"] == "audit" and settings["response"]["body"]["properties"]["DB_PASSWORD"] == "<7-char DB_PASSWORD>", settings),
        said("a length is that of what is written, or left out", disk["response"]["headers"]["Content-Length"] == str(len(wire(disk["response"]["body"]))), disk["response"]["headers"]),
        said("what is no JSON is only counted", queue["response"]["body"].startswith("<") and package["request"]["body"] == "<11 bytes>", package),
        said("labels name the method and the type", [one["label"] for one in found["exchanges"][:5]] == ["patch-disks-1", "get-DiskOperations-1", "get-disks-1", "patch-disks-2", "post-beginGetAccess-1"], [one["label"] for one in found["exchanges"]]),
        said("a recording that still holds a name is refused", refuses(lambda one: setattr(one, "with_names", lambda value: value))),
        said("... a token", refuses(lambda one: setattr(one, "text", lambda text, is_path=False: text))),
        said("... an ID", refuses(lambda one: setattr(one, "id", lambda found: (one.ids.setdefault(found.replace("-", "").lower(), 1), found)[1]))),
    ]
    sample = HERE / "sample.json"
    written = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--write"]:
        sample.write_text(written)
    checks.append(said("sample.json is what the scrubber makes of these exchanges", sample.exists() and sample.read_text() == written, "check.py --write renews it"))
    checks += recorder()
    sys.exit(0 if all(checks) else 1)


if __name__ == "__main__":
    main()
