"""Keys and certificates of clients, made by OpenSSL."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problem import Problem

# RSA: with any other kind of key the suite skips the modules that sign with RS256 to see it refused.
KEY = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
ALG = "PS256"
DAYS = 90

# The members of an RSA private key (RFC 8017 appendix A.1.2), as JWKs name them (RFC 7518 section 6.3).
MEMBERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
PRIVATE = frozenset(MEMBERS) - {"n", "e"}


@dataclass(frozen=True)
class Certificate:
    """A certificate that nobody else signed, and its key."""

    pem: str
    key_pem: str

    def jwk(self) -> dict[str, Any]:
        """As a client registers it for `self_signed_tls_client_auth` (RFC 8705 section 2.2.2)."""
        encoded = base64.b64encode(_der(self.pem)).decode()
        return {**public(_jwk(self.key_pem, "certificate")), "use": "sig", "x5c": [encoded]}


def signing_key() -> dict[str, Any]:
    """A new private key as a JWK."""
    return {**_jwk(_openssl(["genpkey", *KEY]), "signature"), "use": "sig", "alg": ALG}


def certificate(name: str) -> Certificate:
    """A new certificate for a client of that name."""
    key_pem = _openssl(["genpkey", *KEY])
    with tempfile.TemporaryDirectory() as folder:
        # Nobody else can enter it.
        path = Path(folder) / "key.pem"
        path.write_text(key_pem, encoding="ascii")
        pem = _openssl([
            "req", "-x509", "-new", "-key", str(path), "-sha256", "-days", str(DAYS), "-subj", f"/O=Conformance/CN={name}",
            "-addext", "extendedKeyUsage=clientAuth",
        ])
    return Certificate(pem, key_pem)


def public(jwk: dict[str, Any]) -> dict[str, Any]:
    """The half of a key that may be told."""
    return {name: value for name, value in jwk.items() if name not in PRIVATE}


def _openssl(arguments: list[str]) -> str:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, check=True, text=True)
    except FileNotFoundError:
        raise Problem("the program openssl is missing\n  mend: install it") from None
    except subprocess.CalledProcessError as error:
        raise Problem(f"openssl {arguments[0]} failed: {error.stderr.strip().splitlines()[-1:]}") from None
    return done.stdout


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))


def _jwk(pem: str, prefix: str) -> dict[str, Any]:
    # PKCS #8 (RFC 5208 section 5): version, algorithm, and the key itself in an octet string.
    _, _, (_, inner) = tuple(_elements(next(_elements(_der(pem)))[1]))[:3]
    numbers = [value for _, value in _elements(next(_elements(inner))[1])]
    jwk: dict[str, Any] = {"kty": "RSA"}
    # The first number is the version, and two primes are all that OpenSSL makes.
    for name, number in zip(MEMBERS, numbers[1:], strict=True):
        jwk[name] = base64.urlsafe_b64encode(number.lstrip(b"\0")).rstrip(b"=").decode()
    # RFC 7638: short enough to read in a log, and another one for every key.
    thumbprint = hashlib.sha256(f'{{"e":"{jwk["e"]}","kty":"RSA","n":"{jwk["n"]}"}}'.encode()).digest()
    jwk["kid"] = f"{prefix}-{base64.urlsafe_b64encode(thumbprint).rstrip(b'=').decode()}"
    return jwk


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a DER value, one after the other: tag and content."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        yield tag, der[at : at + length]
        at += length
