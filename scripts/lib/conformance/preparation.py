"""The step `prepare`: makes everything that the plans need at a running Ostiary, or makes it anew.

What was made before is found by its name: clients by their identifiers, the person by the username. Keys, secrets, the password
and the token to register clients with are new each time; what they replace is worth nothing from then on.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import clients, person, plans
from .clients import Client
from .ostiary import Admin, Ostiary
from .plans import Configuration
from .problem import Problem

# What the suite registers at once, with more than one run before the next preparation.
TOKEN_LIFETIME = 7 * 24 * 60 * 60


def missing(server: Ostiary, configurations: list[Configuration]) -> list[str]:
    """What keeps the server from passing, each with how to mend it."""
    fapis = [each.fapi for each in configurations if each.fapi]
    found = []
    if any(each.registers_clients for each in configurations) and "registration_endpoint" not in server.metadata:
        found.append("clients cannot register themselves\n  mend: set `registration.mode: initial_access_token`")
    if fapis and not server.has_sample_resource():
        found.append("there is no protected resource to try tokens at\n  mend: set `oidc.sample_resource: true`")
    if any(fapi.has_certificate for fapi in fapis):
        if not server.lists("token_endpoint_auth_methods_supported", "self_signed_tls_client_auth"):
            found.append("clients cannot show certificates\n  mend: set `tls.mtls_bind` or `mtls.header`, see docs/mtls.md")
        elif not server.lists("token_endpoint_auth_methods_supported", "tls_client_auth"):
            # The suite does not count the self-signed kind when it reads the metadata.
            found.append("tls_client_auth is not in the metadata\n  mend: set `mtls.client_ca_file`, any authority will do")
    return found


def remarks(server: Ostiary) -> list[str]:
    """What a suite will say, although everything can be tried."""
    if server.issuer.startswith("https://"):
        return []
    return ["the issuer is not https: every plan of the suite fails on that"]


def prepare(admin: Admin, configurations: list[Configuration], alias: str, suite: str) -> dict[str, Any]:
    """Everything that the configurations need. What comes back holds secrets."""
    server = admin.server
    problems = missing(server, configurations)
    if problems:
        raise Problem(f"{server.issuer} is not ready:\n" + "\n".join(problems))
    algs = list(server.metadata.get("id_token_signing_alg_values_supported", []))
    sets = clients.of(configurations, alias, suite, algs)
    token = None
    if any(each.registers_clients for each in configurations):
        token = _new_registration_token(admin, alias)
        if any(each.registers_clients and each.plan == plans.BASIC for each in configurations):
            _check_registered(admin, token, suite)
    if any(each.fapi for each in configurations):
        _make_scopes(admin)
    return {
        "issuer": server.issuer,
        "suite": suite,
        "resource_url": server.resource_url(with_certificate=False),
        "mtls_resource_url": server.resource_url(with_certificate=True),
        "person": _register_person(admin, alias),
        "initial_access_token": token,
        "clients": _register_all(admin, sets),
    }


def _make_scopes(admin: Admin) -> None:
    for name in clients.OWN_SCOPES:
        description = {"en": f"Try out {name.removeprefix('conformance.')} access"}
        # One that is there is as good.
        admin.call("POST", "/admin/scopes", {"name": name, "description": description, "published": False}, takes=(409,))


def _register_person(admin: Admin, alias: str) -> dict[str, str]:
    username, password = f"{alias}-person", secrets.token_urlsafe(24)
    found = [one for one in admin.every("/admin/users", {"search": username}) if one["username"] == username]
    if not found:
        admin.call("POST", "/admin/users", {"username": username, "password": password, "claims": person.CLAIMS})
    else:
        path = f"/admin/users/{found[0]['subject']}"
        admin.call("PATCH", path, {"claims": person.CLAIMS, "enabled": True})
        admin.call("PUT", f"{path}/password", {"password": password, "sign_out": True})
    return {"username": username, "password": password}


def _new_registration_token(admin: Admin, alias: str) -> str:
    note, path = f"Conformance: {alias}", "/admin/initial-access-tokens"
    for token in admin.every(path):
        if token["note"] == note and "revoked_at" not in token:
            # It may have come to its end meanwhile.
            admin.call("DELETE", f"{path}/{token['id']}", takes=(404,))
    made = admin.call("POST", path, {"note": note, "expires_in": TOKEN_LIFETIME}).json()
    return str(made["initial_access_token"])


def _check_registered(admin: Admin, token: str, suite: str) -> None:
    """Registers a client as the suite does, and looks at what it became: nothing else tells what the server asks of those."""
    endpoint, headers = str(admin.server.metadata["registration_endpoint"]), {"Authorization": f"Bearer {token}"}
    answer = admin.web.send("POST", endpoint, {"redirect_uris": [f"{suite}/callback"]}, headers=headers)
    if answer.status != 201:
        raise Problem(f"a client cannot register itself at {admin.server.issuer}: {answer.said()}")
    path = f"/admin/clients/{answer.json()['client_id']}"
    needs_pkce = admin.call("GET", path).json()["pkce_required"]
    admin.call("DELETE", path)
    if needs_pkce:
        raise Problem(
            "clients that register themselves need PKCE, and most modules of the suite do without\n"
            "  mend: set `registration.pkce_required: false`"
        )


def _register_all(admin: Admin, sets: dict[str, list[Client]]) -> dict[str, dict[str, Any]]:
    every = [client for pair in sets.values() for client in pair]
    # Most of the time goes into keys, which OpenSSL makes beside us.
    with ThreadPoolExecutor() as pool:
        keyed = list(zip(every, pool.map(Client.new_keys, every), strict=True))
    known = {}
    for client, own in keyed:
        secret = _register(admin, client, own)
        known[client.client_id] = {"client_id": client.client_id, "client_secret": secret, **own}
    return {name: {client.role: known[client.client_id] for client in pair} for name, pair in sets.items()}


def _register(admin: Admin, client: Client, own: clients.Keys) -> str | None:
    path, registration = f"/admin/clients/{client.client_id}", client.registration(own)
    if admin.call("GET", path, takes=(404,)).status == 404:
        made = admin.call("POST", "/admin/clients", {"client_id": client.client_id, **registration}).json()
        return str(made["client_secret"]) if client.has_secret else None
    admin.call("PATCH", path, {"enabled": True, **registration})
    if not client.has_secret:
        return None
    return str(admin.call("POST", f"{path}/secrets", {"overlap_seconds": 0}).json()["client_secret"])
