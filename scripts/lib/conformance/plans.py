"""The plans to pass: the one table of names that belong to the suite. Whatever it renames is mended here.

The names are those of release 5.2 of https://gitlab.com/openid/conformance-suite: of the plans (`testPlanName` of the classes
`*TestPlan`), of the variants (the enumerations in `variant`), and of modules (`testName`). Parameters that a plan fixes itself
are not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from .problem import Problem

BASIC = "oidcc-basic-certification-test-plan"
CONFIG = "oidcc-config-certification-test-plan"
RP_INITIATED_LOGOUT = "oidcc-rp-initiated-logout-certification-test-plan"
BACKCHANNEL_LOGOUT = "oidcc-backchannel-rp-initiated-logout-certification-test-plan"
FRONTCHANNEL_LOGOUT = "oidcc-frontchannel-rp-initiated-logout-certification-test-plan"
THIRD_PARTY_LOGIN = "oidcc-3rdparty-init-login-certification-test-plan"
FAPI2_SECURITY = "fapi2-security-profile-final-test-plan"
FAPI2_MESSAGE_SIGNING = "fapi2-message-signing-final-test-plan"

# How a client authenticates, and what its tokens are bound to: the values of `client_auth_type` and `sender_constrain`.
PRIVATE_KEY_JWT = "private_key_jwt"
DPOP = "dpop"
MTLS = "mtls"
COMBINATIONS = tuple((auth, bound) for auth in (PRIVATE_KEY_JWT, MTLS) for bound in (DPOP, MTLS))

# Modules during which a person does something else than to sign in and to agree, or which want a picture.
SECOND_SIGN_IN = ("oidcc-prompt-login", "oidcc-max-age-1")
ERROR_AT_AUTHORIZATION = (
    "oidcc-ensure-registered-redirect-uri",
    "fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client",
)
ERROR_AT_LOGOUT = (
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-modified-id-token-hint",
    "oidcc-rp-initiated-logout-bad-id-token-hint",
    "oidcc-rp-initiated-logout-no-id-token-hint",
)
LOGGED_OUT_HERE = (
    "oidcc-rp-initiated-logout-no-params",
    "oidcc-rp-initiated-logout-only-state",
    "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
)
SIGN_IN_CANCELLED = ("fapi2-security-profile-final-user-rejects-authentication",)
OPENED_TWICE = ("fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",)


@dataclass(frozen=True)
class Fapi:
    """What a FAPI 2.0 client is, and how its requests look."""

    auth: str
    bound: str
    is_signed: bool = False
    is_openid: bool = True
    is_for_itself: bool = False

    @property
    def has_certificate(self) -> bool:
        """Whether the client shows a certificate, for one or the other."""
        return MTLS in (self.auth, self.bound)


@dataclass(frozen=True)
class Configuration:
    """A plan with one choice of its variants: what is run, and certified, as one."""

    name: str
    plan: str
    variant: tuple[tuple[str, str], ...]
    # The clients that it uses, see `clients`. Configurations that differ only in what they ask for share them.
    clients: str
    fapi: Fapi | None = None

    @property
    def registers_clients(self) -> bool:
        """Whether the suite registers its clients itself (RFC 7591)."""
        return self.clients == DYNAMIC


# Not a set of clients, but a token to register some with.
DYNAMIC = "dynamic"


def _oidc() -> list[Configuration]:
    def basic(registration: str) -> tuple[tuple[str, str], ...]:
        return (("server_metadata", "discovery"), ("client_registration", registration))

    logout = (("client_registration", "static_client"), ("response_type", "code"))
    return [
        Configuration("oidcc-basic-static", BASIC, basic("static_client"), "oidcc-basic"),
        Configuration("oidcc-basic-dynamic", BASIC, basic("dynamic_client"), DYNAMIC),
        Configuration("oidcc-config", CONFIG, (), "oidcc-basic"),
        Configuration("oidcc-rp-initiated-logout", RP_INITIATED_LOGOUT, logout, "oidcc-rp-initiated-logout"),
        Configuration("oidcc-backchannel-logout", BACKCHANNEL_LOGOUT, logout, "oidcc-backchannel-logout"),
        Configuration("oidcc-frontchannel-logout", FRONTCHANNEL_LOGOUT, logout, "oidcc-frontchannel-logout"),
        Configuration("oidcc-3rdparty-init-login", THIRD_PARTY_LOGIN, (("response_type", "code"),), DYNAMIC),
    ]


def _fapi2() -> list[Configuration]:
    found = []
    for auth, bound in COMBINATIONS:
        way = f"{auth.replace('_', '-')}-{bound}"
        chosen = (("client_auth_type", auth), ("sender_constrain", bound))
        plain = (("fapi_profile", "plain_fapi"), *chosen)
        for is_openid, openid in ((True, "openid_connect"), (False, "plain_oauth")):
            kind = "openid" if is_openid else "oauth"
            security = Fapi(auth, bound, is_openid=is_openid)
            variant = (*plain, ("openid", openid))
            found.append(
                Configuration(f"fapi2-sp-{way}-{kind}", FAPI2_SECURITY, variant, f"fapi2-sp-{way}", security)
            )
            for mode, name in (("plain_response", "plain"), ("jarm", "jarm")):
                signed = (("fapi_request_method", "signed_non_repudiation"), ("fapi_response_mode", mode))
                fapi = Fapi(auth, bound, is_signed=True, is_openid=is_openid)
                name = f"fapi2-ms-{way}-{kind}-{name}"
                found.append(
                    Configuration(name, FAPI2_MESSAGE_SIGNING, (*variant, *signed), f"fapi2-ms-{way}", fapi)
                )
        # The suite reads `openid` to name the certification, also where there is nobody to identify.
        variant = (("fapi_profile", "fapi_client_credentials_grant"), *chosen, ("openid", "plain_oauth"))
        fapi = Fapi(auth, bound, is_openid=False, is_for_itself=True)
        found.append(Configuration(f"fapi2-cc-{way}", FAPI2_SECURITY, variant, f"fapi2-cc-{way}", fapi))
    return found


CONFIGURATIONS = tuple(_oidc() + _fapi2())


def chosen(names: list[str]) -> list[Configuration]:
    """The configurations that are meant: each by its name, by that of its plan, or all of them, in the order of the table."""
    known = {"all"} | {one for each in CONFIGURATIONS for one in (each.name, each.plan)}
    for name in names:
        if name not in known:
            raise Problem(f"there is no plan {name}\n  mend: `scripts/conformance list` names them")
    return [each for each in CONFIGURATIONS if {"all", each.name, each.plan} & set(names)]
