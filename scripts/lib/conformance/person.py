"""The person who signs in: with every standard claim (OpenID Connect Core section 5.1), each of its type."""

from __future__ import annotations

from typing import Any

CLAIMS: dict[str, Any] = {
    "name": "Cora Form Tester",
    "given_name": "Cora",
    "family_name": "Tester",
    "middle_name": "Form",
    "nickname": "Co",
    "profile": "https://example.com/cora",
    "picture": "https://example.com/cora.png",
    "website": "https://example.com/",
    "email": "cora@example.com",
    "email_verified": True,
    "gender": "female",
    "birthdate": "1987-10-16",
    "zoneinfo": "Europe/Berlin",
    "locale": "en-GB",
    "phone_number": "+49 30 123456",
    "phone_number_verified": True,
    "address": {
        "formatted": "1 Main Street\nBerlin\n10115\nGermany",
        "street_address": "1 Main Street",
        "locality": "Berlin",
        "region": "Berlin",
        "postal_code": "10115",
        "country": "Germany",
    },
}
