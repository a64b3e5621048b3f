"""Takes IDs, names, tokens and claims out of recorded exchanges with Azure, and keeps what a test replays.

What may stay is listed; everything else is replaced by something of the same form, the same value always by the same
one. A recording is scrubbed as a whole, because a name that one exchange shows may stand in the text of another. At the
end the result is searched for every value that was replaced, and one that is found refuses the recording.
"""

import json
import re
from urllib.parse import parse_qsl, quote, urlsplit

GUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.I)
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*")
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f:]{1,}", re.I)
URL = re.compile(r"https?://[^\s\"'<>\\]+")
RESOURCE = re.compile(r"/(?:subscriptions|resourceGroups|providers|managementGroups|tenants)/[^\s\"'<>\\?,;)\]}]*", re.I)
# Hosts of Azure and of documentation, and among them those that carry a name of somebody's.
AZURE = re.compile(r"^localhost$|(?:^|\.)(?:azure\.(?:com|cn|us|net)|windows\.net|windowsazure\.com|microsoft\.com|microsoftonline\.com|(?:china|usgov)cloudapi\.(?:cn|net)|azurewebsites\.(?:net|us)|loganalytics\.io|applicationinsights\.azure\.com|aka\.ms|schemas\.xmlsoap\.org)$", re.I)
OWNED = re.compile(r"\.(?:core\.[\w.]+|storage\.azure\.\w+|azurewebsites\.\w+|(?:ingest|metrics\.ingest)\.monitor\.azure\.\w+|azconfig\.io|vault\.azure\.\w+)$", re.I)
# What a path of Resource Manager begins with.
ROOTS = {"subscriptions", "resourcegroups", "providers", "managementgroups", "tenants", "batch"}
# A signature, key or token without a form of its own. Words have no digits, so names of types and errors are none.
OPAQUE = re.compile(r"(?<![\w/+=%-])(?=[\w+/=%-]*\d)[\w+/=%-]{40,}")
# Headers of responses that clients or the local Azure read.
HEADERS = {
    "azure-asyncoperation", "location", "retry-after", "cache-control", "content-length", "content-type", "date", "expires", "pragma", "etag", "server", "vary",
    "strict-transport-security", "x-content-type-options", "x-ms-correlation-request-id", "x-ms-request-id", "x-ms-routing-request-id", "x-ms-served-by",
    "x-ms-failure-cause", "x-ms-error-code", "x-ms-operation-identifier", "x-ms-throttling-version",
}
LIMITS = re.compile(r"x-ms-(?:ratelimit|user-quota|resource-graph)-", re.I)
# Query parameters with values of Azure's own or of the client's.
PARAMETERS = {"api-version", "monitor", "$top", "$expand", "comp", "restype", "peekonly", "numofmessages", "include", "timeout", "statusonly"}
# Members whose values are nobody's but their owner's, whatever their form.
SECRET = re.compile(r"token|secret|password|credential|signature|assertion|accesssas|(?:access|account|primary|secondary|shared|instrumentation)_?-?key|connectionstring", re.I)
PERSONAL = re.compile(r"^(?:caller|principalname|username|upn|name|displayname|mail|email\w*|createdby|lastmodifiedby|given_?name|family_?name|unique_?name|userprincipalname|ipaddr\w*)$", re.I)
# Names that are the product's or Azure's own.
PUBLIC = {
    "default", "blob", "queue", "table", "http", "onedeploy", "ftp", "scm", "function", "endpoints", "diskseal", "seal_on_write", "seal_queued", "sweep",
    "diskseal-pending", "diskseal-pending-poison", "diskseal-outcomes", "dead-letters", "deployment", "delivery-failures", "queue-writes", "appsettings", "current", "management", "messages",
}


class Leak(Exception):
    """A value that should be gone is still there."""


class Scrubber:
    """The replacements of one recording."""

    def __init__(self, public_ids=()):
        self.public_ids = {one.lower() for one in public_ids}
        self.ids, self.names, self.secrets = {}, {}, set()

    def id(self, found):
        plain = found.replace("-", "").lower()
        if found.lower() in self.public_ids or not plain.strip("0"):
            return found
        number = self.ids.setdefault(plain, len(self.ids) + 1)
        return f"00000000-0000-4000-8000-{number:012}" if "-" in found else f"0000000000004000800000{number:010}"

    def name(self, found, kind):
        """A name of somebody's, and how it is spelled: Azure lists groups in capitals."""
        if not found or found == "*" or found.lower() in PUBLIC or GUID.fullmatch(found) or found.startswith("<"):
            return found
        kind = re.sub(r"s$", "", re.sub(r"[^a-z]", "", kind.lower())) or "name"
        if found.lower() not in self.names:
            number = sum(one.startswith(f"{kind}-") for one in self.names.values()) + 1
            self.names[found.lower()] = f"{kind}-{number}"
        return self.spelled(found)

    def spelled(self, found):
        new = self.names[found.lower()]
        return new.upper() if found.isupper() else new

    def secret(self, found, what):
        """A value that nobody may see, in the form that a replay gives its length again."""
        if not isinstance(found, str) or not found or re.fullmatch(r"<\d+-char [^<>]*>", found):
            return found if isinstance(found, str) else None
        self.secrets.add(found)
        what = re.sub("[^A-Za-z0-9_. -]", "", what)
        return f"<{len(found)}-char {what}>"

    def resource(self, path, is_owned=False):
        """A resource ID, or the path of a request: names follow types."""
        parts = path.split("/")
        if parts[0] or not any(part.lower() in ROOTS for part in parts[1:2]):
            # Containers and blobs.
            return "/".join(self.name(self.text(part, is_path=True), "path") if is_owned else self.text(part, is_path=True) for part in parts)
        is_type, named = False, None
        for i, part in enumerate(parts):
            lower = part.lower()
            if named:
                parts[i] = self.id(part) if GUID.fullmatch(part) else self.name(part, named)
                named = None
            elif lower in ("subscriptions", "tenants"):
                named, is_type = "subscription", True
            elif lower in ("resourcegroups", "managementgroups"):
                named = "rg" if lower.startswith("resource") else "mg"
                is_type = True
            elif lower == "providers":
                is_type = False
            elif i and parts[i - 1].lower() == "providers":
                is_type = True
            elif is_type and part and lower not in ("locations",):
                named = part
            elif lower == "locations":
                # Names of regions are Azure's.
                named, is_type = None, False
            else:
                parts[i] = self.text(part, is_path=True)
                is_type = True
        return "/".join(parts)

    def url(self, url):
        split = urlsplit(url)
        host = split.hostname or ""
        first, _, rest = host.partition(".")
        if not AZURE.search(host):
            return self.secret(url, "URL")
        if OWNED.search(host):
            host = f"{self.name(first, 'account')}.{rest}"
        elif rest and GUID.search(first):
            host = f"{self.id(GUID.search(first)[0])}.{rest}"
        host = host if split.port is None else f"{host}:{split.port}"
        query = "&".join(f"{quote(name, safe='$-_.')}={self.parameter(name, value)}" for name, value in parse_qsl(split.query, keep_blank_values=True))
        fragment = f"#{self.secret(split.fragment, 'fragment')}" if split.fragment else ""
        return f"{split.scheme}://{host}{self.resource(split.path, bool(OWNED.search(host)))}{'?' if query else ''}{query}{fragment}"

    def parameter(self, name, value):
        if name.lower() in PARAMETERS:
            return quote(self.text(value), safe="$-_.:,/()' ").replace(" ", "%20")
        if name.lower() == "$filter":
            return quote(self.text(value), safe="$-_.:,/()'").replace("%20", "%20")
        if GUID.fullmatch(value):
            return self.id(value)
        return self.secret(value, name) if value else ""

    def text(self, text, is_path=False):
        """Text with addresses, resource IDs and whatever else has a form of its own."""
        kept = []

        def keep(new):
            kept.append(new)
            return f"\0{len(kept) - 1}\0"

        text = JWT.sub(lambda found: keep(self.secret(found[0], "JWT")), text)
        if not is_path:
            text = URL.sub(lambda found: keep(self.url(found[0])), text)
            text = RESOURCE.sub(lambda found: keep(self.resource(found[0])), text)
        text = MAIL.sub(lambda found: keep(self.personal(found[0])), text)
        text = GUID.sub(lambda found: keep(self.id(found[0])), text)
        text = ADDRESS.sub(lambda found: keep(self.personal(found[0])), text)
        text = OPAQUE.sub(lambda found: keep(self.secret(found[0], "opaque")), text)
        return re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], text)

    def personal(self, found):
        self.secrets.add(found)
        return "203.0.113.7" if ADDRESS.fullmatch(found) else "person@example.com" if "@" in found else "<name>"

    def body(self, value, member="", inside=""):
        """A JSON value. `inside` is the kind of object around it that owns all of its values."""
        if isinstance(value, dict):
            inner = next((one for one in ("claims", "tags", "evidence") if member.lower() == one), inside)
            if "authorization" == member.lower():
                inner = ""
            return {self.text(name): self.body(one, name, inner) for name, one in value.items()}
        if isinstance(value, list):
            return [self.body(one, member, inside) for one in value]
        if not isinstance(value, str):
            # Times of a token, and no other numbers, say something of a person.
            return 0 if inside == "claims" and not isinstance(value, bool) and value is not None else value
        if inside in ("claims", "evidence") and not GUID.fullmatch(value):
            return self.secret(value, "claim")
        if SECRET.search(member):
            return self.secret(value, member)
        if inside == "tags" and value.lower() not in PUBLIC and not member.lower().startswith("diskseal"):
            return self.secret(value, "tag")
        if PERSONAL.match(member):
            return self.owned(value, member)
        return self.text(value)

    def owned(self, value, member):
        """The name of a resource or a person."""
        if MAIL.fullmatch(value) or ADDRESS.fullmatch(value):
            return self.personal(value)
        if member.lower() != "name":
            return self.text(value) if GUID.fullmatch(value) or value.lower() in PUBLIC or value.startswith("Diskseal: ") else self.secret(value, member)
        parts = value.split("/")
        return "/".join(self.spelled(one) if one.lower() in self.names else self.text(one) for one in parts)

    def with_names(self, value):
        """Replaces the names that were found anywhere, as whole words."""
        if isinstance(value, dict):
            return {self.with_names(name) if "/" in name else name: self.with_names(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.with_names(one) for one in value]
        if not isinstance(value, str) or not self.names:
            return value
        words = sorted((one for one in self.names if len(one) > 2), key=len, reverse=True)
        found = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, words))})(?![A-Za-z0-9])", re.I) if words else None
        return found.sub(lambda one: self.spelled(one[0]), value) if found else value

    def exchange(self, label, request, response):
        headers = {}
        for name, value in response["headers"].items():
            if name.lower() in HEADERS or LIMITS.match(name):
                headers[name] = [self.text(one) for one in value] if isinstance(value, list) else self.text(value)
        raw, is_wire = response["body"], False
        if isinstance(raw, (dict, list)):
            announced = next((value for name, value in headers.items() if name.lower() == "content-length"), None)
            is_wire = announced == str(len(wire(raw)))
        body = self.of_body(raw, request["uri"])
        result = {"label": label, "request": {"method": request["method"], "uri": self.url(request["uri"]), "body": self.of_body(request["body"], request["uri"])},
                  "response": {"status": response["status"], "headers": headers, "body": body}}
        return result, is_wire

    def of_body(self, body, uri):
        if body is None or body == "":
            return None
        if isinstance(body, bytes):
            return f"<{len(body)} bytes>"
        if isinstance(body, str):
            # Lists of blobs and messages of queues.
            return f"<{len(body)}-char text>"
        if re.search(r"/(?:appsettings|connectionstrings)(?:/list)?\b", uri, re.I):
            body = self.settings(body)
        return self.body(body)

    def settings(self, body):
        """App settings: those of Diskseal have a documented form, all others may be secrets."""
        if isinstance(body, dict) and isinstance(body.get("properties"), dict):
            shown = {name: one if name.startswith("DISKSEAL_") else self.secret(str(one), name) for name, one in body["properties"].items()}
            return {**body, "properties": shown}
        return body

    def recording(self, source, exchanges):
        """The whole, or Leak. Each exchange is a request and a response, with the bodies as JSON, text or bytes."""
        counts, done = {}, []
        for request, response in exchanges:
            label = label_of(request)
            counts[label] = counts.get(label, 0) + 1
            done.append(self.exchange(f"{label}-{counts[label]}", request, response))
        result = {"_source": source, "exchanges": [self.with_names(one) for one, _ in done]}
        for exchange, (_, is_wire) in zip(result["exchanges"], done):
            response = exchange["response"]
            for name in [one for one in response["headers"] if one.lower() == "content-length"]:
                # The length is that of what is written here, if the original had the same form.
                if is_wire:
                    response["headers"][name] = str(len(wire(response["body"])))
                else:
                    del response["headers"][name]
        self.search(result)
        return result

    def search(self, result):
        """Looks for everything that was replaced."""
        text = json.dumps(result, ensure_ascii=False).lower()
        plain = text.replace("-", "")
        gone = [one for one in self.ids if one in plain] + [one for one in self.secrets if len(one) > 5 and one.lower() in text]
        words = set(re.findall(r"[a-z0-9][\w.-]*", text))
        gone += [one for one in self.names if len(one) > 2 and one in words]
        if gone or JWT.search(text):
            raise Leak(f"{len(gone) or 1} values are still there")


def wire(body):
    """A body as Resource Manager formats it."""
    return json.dumps(body, indent=2, ensure_ascii=False).replace("\n", "\r\n").encode()


def label_of(request):
    """`patch-disks`, `get-DiskOperations`: the method, and the last type in the path."""
    parts = [one for one in urlsplit(request["uri"]).path.split("/") if one]
    after = parts[len(parts) - parts[::-1].index("providers"):] if "providers" in parts else parts
    kinds = after[1:] if "providers" in parts else after
    kinds = kinds[2:] if kinds[:1] == ["locations"] else kinds
    kind = next(iter(kinds[(len(kinds) - 1) // 2 * 2:]), "root") if "providers" in parts else next((one for one in reversed(kinds) if one.isalpha()), "root")
    kind = re.sub("[^A-Za-z]", "", kind) or "root"
    return f"{request['method'].lower()}-{kind}"
