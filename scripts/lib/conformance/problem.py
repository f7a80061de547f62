"""What can keep this from going on, and how it ends then."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """How the program ends."""

    GOOD = 0
    # A module has a result that certification does not take.
    BAD_RESULT = 1
    # The command line, the server or a file is not as it has to be; nothing was run.
    NOT_READY = 2
    # The suite or the server cannot be reached, or does not let us in.
    UNREACHABLE = 3


class Problem(Exception):
    """Something that a person has to mend. Its text has no secrets."""

    def __init__(self, text: str, ends_with: Exit = Exit.NOT_READY) -> None:
        super().__init__(text)
        self.ends_with = ends_with


class Unreachable(Problem):
    """A server does not answer, or does not know who we are."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Exit.UNREACHABLE)
