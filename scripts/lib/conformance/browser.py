"""What the suite's scripted browser does on our pages: the entry `browser` of a configuration.

The ids are part of the pages (docs/adding.md). Each task names the address at which it acts; one that is optional is left out
elsewhere. The patterns know `*` and nothing else. After a form the browser is sent on by a page, so that the end is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import plans

Task = dict[str, Any]
Entry = dict[str, Any]

# Seconds that a page may take.
PATIENCE = 10

# Any text: which words a page has depends on the language.
ANY_TEXT = ".+"


@dataclass(frozen=True)
class Script:
    """Writes the steps for one person at one server, who returns to the suite."""

    issuer: str
    # What every address of the suite that is meant for these tests begins with.
    suite: str
    username: str
    password: str

    def everywhere(self) -> list[Entry]:
        """What is done unless a module has steps of its own."""
        return [self._authorize(self._sign_in(), self._consent(), self._arrive("callback")), self._logout()]

    def of_modules(self) -> dict[str, list[Entry]]:
        """The steps of modules that want something else, by their names."""
        picture_of_login = self._picture("login-submit", "update-image-placeholder-optional")
        again = self._authorize(self._sign_in(picture_of_login), self._consent(), self._arrive("callback"))
        error = self._authorize(self._error("/authorize*"))
        begin = self.everywhere()[0]
        found = {name: [again] for name in plans.SECOND_SIGN_IN}
        found |= {name: [error] for name in plans.ERROR_AT_AUTHORIZATION}
        found |= {name: [begin, self._leave(self._error("/logout*"))] for name in plans.ERROR_AT_LOGOUT}
        found |= {name: [begin, self._leave(self._confirm(), self._goodbye())] for name in plans.LOGGED_OUT_HERE}
        found |= {name: [self._authorize(self._cancel(), self._arrive("callback"))] for name in plans.SIGN_IN_CANCELLED}
        look = self._authorize({
            "task": "Look at the sign-in page and do nothing",
            "match": f"{self.issuer}/login*",
            "commands": [["wait", "id", "login-submit", PATIENCE]],
        })
        found |= {name: [{**look, "match-limit": 1}, begin] for name in plans.OPENED_TWICE}
        return found

    def _authorize(self, *tasks: Task) -> Entry:
        return {"match": f"{self.issuer}/authorize*", "tasks": list(tasks)}

    def _leave(self, *tasks: Task) -> Entry:
        return {"match": f"{self.issuer}/logout*", "tasks": list(tasks)}

    def _logout(self) -> Entry:
        return self._leave(self._confirm(), self._arrive("post_logout_redirect"))

    def _sign_in(self, *before: list[Any]) -> Task:
        typed = [["text", "id", "username", self.username], ["text", "id", "password", self.password]]
        commands = [*before, *typed, ["click", "id", "login-submit"]]
        return {"task": "Sign in", "match": f"{self.issuer}/login*", "optional": True, "commands": commands}

    def _consent(self) -> Task:
        commands = [["click", "id", "consent-allow"]]
        return {"task": "Agree", "match": f"{self.issuer}/consent*", "optional": True, "commands": commands}

    def _cancel(self) -> Task:
        return {
            "task": "Refuse to sign in",
            "match": f"{self.issuer}/login*",
            "commands": [["click", "id", "login-cancel"]],
        }

    def _confirm(self) -> Task:
        # Where the page says already that it is over there is nothing to confirm.
        commands = [["click", "id", "logout-confirm", "optional"]]
        return {"task": "Sign out", "match": f"{self.issuer}/logout*", "optional": True, "commands": commands}

    def _goodbye(self) -> Task:
        commands = [self._picture("logged-out", "update-image-placeholder")]
        return {"task": "See that it is over", "match": f"{self.issuer}/log*", "commands": commands}

    def _error(self, pattern: str) -> Task:
        commands = [self._picture("error-code", "update-image-placeholder")]
        return {"task": "See what is wrong", "match": f"{self.issuer}{pattern}", "commands": commands}

    def _arrive(self, path: str) -> Task:
        commands: list[list[Any]] = [["wait", "contains", f"{self.suite}/{path}", PATIENCE]]
        if path == "callback":
            # Of the suite's own page, once its script has sent on what came.
            commands.append(["wait", "id", "submission_complete", PATIENCE])
        return {"task": "Return", "match": "*", "commands": commands}

    def _picture(self, element: str, action: str) -> list[Any]:
        return ["wait", "id", element, PATIENCE, ANY_TEXT, action]
