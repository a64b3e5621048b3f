"""azure-identity: managed identities in the form of App Service and in that of virtual machines."""

import base64
import json
import logging
import os
from contextlib import contextmanager

from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential

from judge import ARM_SCOPE, SUBSCRIPTION, check, emulator, free_ports, refuses

logging.disable(logging.CRITICAL)

NOBODY = "00000000-0000-4000-8000-000000000000"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-identity/providers/"
    "Microsoft.ManagedIdentity/userAssignedIdentities/id-seal"
)


@contextmanager
def environment(**values):
    before = dict(os.environ)
    os.environ.pop("IDENTITY_ENDPOINT", None)
    os.environ.pop("IDENTITY_HEADER", None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def token(**options):
    # A separate credential for each, to bypass the cache.
    return ManagedIdentityCredential(retry_total=0, **options).get_token(ARM_SCOPE)


def claims(**options):
    payload = token(**options).token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def main():
    with emulator() as azure:
        client_id = azure["clientId"]
        host = azure["identityEndpoint"].removesuffix("/msi/token")
        app_service = {"IDENTITY_ENDPOINT": azure["identityEndpoint"], "IDENTITY_HEADER": azure["identityHeader"]}
        forms = [("App Service", app_service), ("a virtual machine", {"AZURE_POD_IDENTITY_AUTHORITY_HOST": host})]
        for form, values in forms:
            with environment(**values):
                check(
                    f"a token of the identity with a client id, from {form}",
                    (client_id, "https://management.azure.com", IDENTITY),
                    lambda: tuple(map(claims(client_id=client_id).get, ("appid", "aud", "xms_mirid"))),
                )
                check(
                    f"a token by resource id, from {form}", client_id,
                    lambda: claims(identity_config={"resource_id": IDENTITY})["appid"],
                )
                check(
                    f"a token of the system's identity, from {form}", True,
                    lambda: claims()["appid"] not in ("", client_id),
                )
                check(
                    f"it lasts for a day, from {form}", True,
                    lambda: (found := claims())["exp"] - found["iat"] == 24 * 3600 and token().expires_on - found["exp"] < 60,
                )
        with environment(**app_service):
            refuses(
                "a client id that is nobody's, from App Service", ClientAuthenticationError,
                lambda: token(client_id=NOBODY), "Unable to load requested managed identity",
            )
        with environment(**app_service | {"IDENTITY_HEADER": "wrong"}):
            refuses("a wrong header, from App Service", ClientAuthenticationError, token, "Unauthorized")
        with environment(**app_service | {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{free_ports(1)[0]}/msi/token"}):
            refuses("nobody at the address of App Service", ServiceRequestError, token, "Connection refused")
        with environment(**forms[1][1]):
            refuses(
                "a client id that is nobody's, from a virtual machine", CredentialUnavailableError,
                lambda: token(client_id=NOBODY), "(invalid_request) Identity not found",
            )
        with environment(AZURE_POD_IDENTITY_AUTHORITY_HOST=f"http://127.0.0.1:{free_ports(1)[0]}"):
            refuses("nobody at the address of a virtual machine", CredentialUnavailableError, token, "no response from the IMDS endpoint")


main()
