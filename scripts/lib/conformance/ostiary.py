"""A running Ostiary: what it says of itself, and its admin API."""

from __future__ import annotations

import base64
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import private_files
from .problem import Problem, Unreachable
from .web import Answer, Web

# What an access token for the admin API is for.
SCOPES = "admin:clients admin:users"

TOKEN_VARIABLE = "OSTIARY_ADMIN_TOKEN"
ID_VARIABLE = "OSTIARY_CLIENT_ID"
SECRET_VARIABLE = "OSTIARY_CLIENT_SECRET"


class Ostiary:
    """A server, and what it says of itself (OpenID Connect Discovery)."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.issuer = web.base
        answer = web.send("GET", "/.well-known/openid-configuration")
        metadata = answer.json()
        if answer.status != 200 or not isinstance(metadata, dict) or metadata.get("issuer") != self.issuer:
            raise Problem(
                f"{self.issuer} is not the issuer of what answers there ({answer.said()})\n"
                "  mend: give --issuer exactly as `server.issuer` has it"
            )
        self.metadata: Mapping[str, Any] = metadata

    def lists(self, name: str, value: str) -> bool:
        """Whether a list of the metadata has a value."""
        return value in self.metadata.get(name, [])

    def has_sample_resource(self) -> bool:
        """Whether there is a protected resource to try tokens at."""
        return self.web.send("GET", "/resource").status == 401

    def resource_url(self, *, with_certificate: bool) -> str:
        """Where that is, for clients that show a certificate: below the address that their aliases have (RFC 8705 section 5)."""
        aliases = self.metadata.get("mtls_endpoint_aliases", {})
        token_endpoint = str(self.metadata["token_endpoint"])
        if with_certificate:
            token_endpoint = str(aliases.get("token_endpoint", token_endpoint))
        return token_endpoint.removesuffix("/token") + "/resource"


class Admin:
    """Its admin API (docs/admin-api.md)."""

    def __init__(self, server: Ostiary, credentials: Path | None) -> None:
        self.server = server
        self.web = server.web
        self.web.authorization = f"Bearer {os.environ.get(TOKEN_VARIABLE) or self._new_token(credentials)}"

    def _new_token(self, credentials: Path | None) -> str:
        client_id, secret = self._client(credentials)
        pair = ":".join(urllib.parse.quote(part, safe="") for part in (client_id, secret))
        form = {"grant_type": "client_credentials", "resource": f"{self.server.issuer}/admin", "scope": SCOPES}
        answer = self.web.request(
            "POST",
            str(self.server.metadata["token_endpoint"]),
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urllib.parse.urlencode(form).encode(),
        )
        document = answer.json()
        if answer.status != 200 or not isinstance(document, dict):
            raise Unreachable(
                f"{self.server.issuer} gives no access token for its admin API: {answer.said()}\n"
                f"  mend: name a client that has {SCOPES}"
            )
        return str(document["access_token"])

    def _client(self, credentials: Path | None) -> tuple[str, str]:
        if credentials is not None:
            mend = "give --credentials the file that `ostiary bootstrap --output FILE` wrote"
            document = private_files.read_json(credentials, mend)
            try:
                return document["client"]["client_id"], document["client"]["client_secret"]
            except (KeyError, TypeError):
                raise Problem(f"{credentials} names no client\n  mend: {mend}") from None
        found = os.environ.get(ID_VARIABLE), os.environ.get(SECRET_VARIABLE)
        if not found[0] or not found[1]:
            raise Problem(
                "it is not said who asks the admin API\n"
                f"  mend: set {TOKEN_VARIABLE}, or {ID_VARIABLE} and {SECRET_VARIABLE}, or give --credentials FILE"
            )
        return found[0], found[1]

    def call(self, method: str, path: str, document: Any = None, *, takes: tuple[int, ...] = ()) -> Answer:
        """A call that must succeed, but for the statuses in `takes`."""
        headers = {"If-Match": "*"} if method in ("PATCH", "DELETE") else {}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        answer = self.web.send(method, path, document, headers=headers)
        if answer.status in takes or 200 <= answer.status < 300:
            return answer
        kind = Unreachable if answer.status in (401, 403) else Problem
        raise kind(f"{method} {path} of {self.server.issuer} is refused: {answer.said()}")

    def every(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Everything of a list, page by page."""
        asked = dict(query or {}, limit="200")
        while True:
            page = self.call("GET", f"{path}?{urllib.parse.urlencode(asked)}").json()
            yield from page["items"]
            if "next" not in page:
                return
            asked["cursor"] = page["next"]
