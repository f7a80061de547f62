"""The step `config`: writes the configuration of each plan as the suite takes it.

The members are those that the suite's plans declare (`@ConfigurationFields`): `alias`, `description`, `server.discoveryUrl`,
`client.*`, `client2.*`, `client_secret_post.*`, `mtls.*`, `mtls2.*`, `resource.resourceUrl`, and for every plan `browser`,
`override` and `options`.
"""

from __future__ import annotations

from typing import Any

from . import clients
from .browser import Script
from .keys import ALG
from .plans import DPOP, MTLS, Configuration, Fapi


def document(configuration: Configuration, alias: str, prepared: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a plan. It holds secrets."""
    person = prepared["person"]
    script = Script(prepared["issuer"], prepared["suite"], person["username"], person["password"])
    # The modules of a plan are named after its family.
    family = configuration.plan.split("-")[0]
    steps = {name: steps for name, steps in script.of_modules().items() if name.startswith(family)}
    found: dict[str, Any] = {
        "alias": alias,
        "description": f"Ostiary: {configuration.name}",
        "server": {"discoveryUrl": f"{prepared['issuer']}/.well-known/openid-configuration"},
        # Its browser knows no layout, and the styles of today even less.
        "options": {"browsercontrol_css_enable": False},
        "browser": script.everywhere(),
        "override": {name: {"browser": entries} for name, entries in steps.items()},
    }
    if configuration.registers_clients:
        token = prepared["initial_access_token"]
        for number, role in ((1, "client"), (2, "client2")):
            found[role] = {"client_name": f"{alias}-{number}", "initial_access_token": token}
        return found
    for role, client in prepared["clients"][configuration.clients].items():
        found[role] = _client(client, configuration.fapi)
        if configuration.fapi and configuration.fapi.has_certificate:
            found[role.replace("client", "mtls")] = {"cert": client["cert"], "key": client["key"]}
    if configuration.fapi:
        kind = "mtls_resource_url" if configuration.fapi.bound == MTLS else "resource_url"
        found["resource"] = {"resourceUrl": prepared[kind]}
    return found


def _client(client: dict[str, Any], fapi: Fapi | None) -> dict[str, Any]:
    found = {"client_id": client["client_id"]}
    if client["client_secret"] is not None:
        found["client_secret"] = client["client_secret"]
    if fapi:
        found |= {"scope": clients.scope(fapi), "jwks": {"keys": [client["jwk"]]}}
        if fapi.bound == DPOP:
            found["dpop_signing_alg"] = ALG
    return found
