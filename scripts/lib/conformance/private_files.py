"""Files that only their owner may read: everything here holds keys, secrets or passwords."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .problem import Problem


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, that nobody else can enter."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise Problem(f"{path} cannot be made: {error.strerror}") from None


def write(path: Path, content: bytes) -> None:
    """Writes a file, in one step: whoever reads it finds the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
        draft.replace(path)
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror}") from None


def write_json(path: Path, document: Any) -> None:
    """Writes a document, for people too."""
    write(path, (json.dumps(document, indent=2) + "\n").encode())


def read_json(path: Path, mend: str) -> Any:
    """Reads a document; `mend` says what to do if it is not there."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}\n  mend: {mend}") from None
    except ValueError:
        raise Problem(f"{path} is not JSON\n  mend: {mend}") from None
