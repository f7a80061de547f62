"""JSON over HTTP. Redirects are not followed: a token is for the server that was named, and for no other one."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .problem import Problem, Unreachable

# How long one request may take, in seconds. The suite makes archives while it is waited for.
TIMEOUT = 60


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The document, `None` if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def said(self) -> str:
        """What a server said of a refusal, for people."""
        document = self.json()
        if not isinstance(document, dict):
            return f"HTTP {self.status}"
        names = ("detail", "error_description", "message", "error", "title")
        words = [str(document[name]) for name in names if isinstance(document.get(name), str)][:1]
        errors = document.get("errors")
        if isinstance(errors, list):
            words += [f"{error.get('pointer')}: {error.get('detail')}" for error in errors if isinstance(error, dict)]
        return f"HTTP {self.status} {'; '.join(words)}".strip()


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def tls(ca_file: str | None = None, *, insecure: bool = False) -> ssl.SSLContext:
    """Whom to believe: the authorities of this machine and those of a file, or whoever answers."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise Problem(f"{ca_file} has no certificates to believe: {error.strerror or error}") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Web:
    """One server."""

    def __init__(self, base: str, context: ssl.SSLContext, name: str) -> None:
        self.base = base.rstrip("/")
        self.name = name
        self.authorization: str | None = None
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _StayHere())

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Sends a request; `path` may be a whole address of the same server. Raises `Unreachable`."""
        address = path if path.startswith(("http://", "https://")) else self.base + path
        if query:
            address += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(address, data=body, method=method)
        for header, value in (headers or {}).items():
            request.add_header(header, value)
        if self.authorization is not None and "Authorization" not in (headers or {}):
            request.add_header("Authorization", self.authorization)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(f"{self.name} at {self.base} cannot be reached: {reason}") from None

    def send(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The same with a JSON document."""
        body = None if document is None else json.dumps(document).encode()
        all_headers = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        return self.request(method, path, query=query, headers=all_headers, body=body)
