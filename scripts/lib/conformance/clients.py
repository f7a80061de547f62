"""The clients that the plans use, and what each registers at Ostiary (the members of `/admin/clients`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import keys, plans
from .plans import Configuration, Fapi

OIDC_SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access")
# What requests ask for that identify nobody: scopes of our own, made by `prepare`.
OWN_SCOPES = ("conformance.read", "conformance.write")

# What the suite appends for the second client of FAPI, to see whether a redirect URI keeps its query.
WITH_QUERY = "?dummy1=lorem&dummy2=ipsum"

Keys = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A client, and under which name it stands in a configuration."""

    client_id: str
    # `client`, `client2`, or `client_secret_post`.
    role: str
    settings: dict[str, Any]
    # For whoever has keys: its FAPI combination.
    fapi: Fapi | None = None

    @property
    def has_secret(self) -> bool:
        """Whether Ostiary gives it a secret."""
        return str(self.settings["token_endpoint_auth_method"]).startswith("client_secret_")

    def new_keys(self) -> Keys:
        """Keys that nobody had before, as they are kept: the suite signs with them."""
        if self.fapi is None:
            return {}
        # Also for clients that never sign: the suite wants to see a key of everybody.
        made: Keys = {"jwk": keys.signing_key()}
        if self.fapi.has_certificate:
            certificate = keys.certificate(self.client_id)
            made |= {"cert": certificate.pem, "key": certificate.key_pem, "cert_jwk": certificate.jwk()}
        return made

    def registration(self, own: Keys) -> dict[str, Any]:
        """Everything that it registers, with the public halves of its keys."""
        jwks = [keys.public(own["jwk"])] if "jwk" in own else []
        jwks += [own["cert_jwk"]] if "cert_jwk" in own else []
        return {**self.settings, "jwks": {"keys": jwks} if jwks else None}


def of(configurations: list[Configuration], alias: str, suite: str, algs: list[str]) -> dict[str, list[Client]]:
    """The clients of each set that one of the configurations uses. `algs` are the server's for what FAPI 2.0 has signed."""
    found: dict[str, list[Client]] = {}
    for each in configurations:
        if not each.registers_clients and each.clients not in found:
            prefix = f"{alias}-{each.clients}"
            found[each.clients] = _fapi(prefix, each.fapi, suite, algs) if each.fapi else _oidc(prefix, each, suite)
    return found


def _oidc(prefix: str, configuration: Configuration, suite: str) -> list[Client]:
    settings: dict[str, Any] = {
        "client_name": {"en": f"Conformance: {configuration.clients}"},
        "profile": "oidc",
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": list(OIDC_SCOPES),
        "redirect_uris": [f"{suite}/callback"],
        "token_endpoint_auth_method": "client_secret_basic",
        # Only one module of the Basic plan sends a code challenge (RFC 7636).
        "pkce_required": False,
        "consent": "remembered",
    }
    if configuration.plan not in (plans.BASIC, plans.CONFIG):
        settings["post_logout_redirect_uris"] = [f"{suite}/post_logout_redirect"]
    if configuration.plan == plans.BACKCHANNEL_LOGOUT:
        settings["backchannel_logout_uri"] = f"{suite}/backchannel_logout"
        settings["backchannel_logout_session_required"] = True
    if configuration.plan == plans.FRONTCHANNEL_LOGOUT:
        settings["frontchannel_logout_uri"] = f"{suite}/frontchannel_logout"
        settings["frontchannel_logout_session_required"] = True
    pair = [Client(f"{prefix}-{number}", role, settings) for number, role in ((1, "client"), (2, "client2"))]
    if configuration.plan in (plans.BASIC, plans.CONFIG):
        post = {**settings, "token_endpoint_auth_method": "client_secret_post"}
        pair.append(Client(f"{prefix}-post", "client_secret_post", post))
    return pair


def _fapi(prefix: str, fapi: Fapi, suite: str, algs: list[str]) -> list[Client]:
    alg = "PS256" if "PS256" in algs else "ES256"
    settings: dict[str, Any] = {
        "client_name": {"en": f"Conformance: {prefix}"},
        "profile": "fapi2-message-signing" if fapi.is_signed else "fapi2-security",
        "grant_types": ["client_credentials"] if fapi.is_for_itself else ["authorization_code", "refresh_token"],
        "scopes": list(OWN_SCOPES if fapi.is_for_itself else (*OIDC_SCOPES, *OWN_SCOPES)),
        # The suite's certificates are signed by nobody else.
        "token_endpoint_auth_method": "self_signed_tls_client_auth" if fapi.auth == plans.MTLS else plans.PRIVATE_KEY_JWT,
        "tls_client_certificate_bound_access_tokens": fapi.bound == plans.MTLS,
        "dpop_bound_access_tokens": fapi.bound == plans.DPOP,
        "require_pushed_authorization_requests": not fapi.is_for_itself,
        "require_signed_request_object": fapi.is_signed,
        "id_token_signed_response_alg": alg,
        "authorization_signed_response_alg": alg,
        "consent": "remembered",
    }
    pair = []
    for number, role, query in ((1, "client", ""), (2, "client2", WITH_QUERY)):
        returns_to = [] if fapi.is_for_itself else [f"{suite}/callback{query}"]
        pair.append(Client(f"{prefix}-{number}", role, {**settings, "redirect_uris": returns_to}, fapi))
    return pair


def scope(fapi: Fapi) -> str:
    """What the suite asks for; two scopes at least, because one module changes their order."""
    return " ".join(("openid", "profile", "email") if fapi.is_openid else OWN_SCOPES)
