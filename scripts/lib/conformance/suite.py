"""The suite's REST API: its plans, the modules that run, their results and their archive."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

from .plans import Configuration
from .problem import Problem, Unreachable
from .web import Answer, Web

TOKEN_VARIABLE = "CONFORMANCE_TOKEN"

# Where a module stands (`TestModule.Status`) when nothing more comes of it.
OVER = ("FINISHED", "INTERRUPTED")
CONFIGURED = "CONFIGURED"


@dataclass(frozen=True)
class Finding:
    """What a module's log holds against the server."""

    # FAILURE or WARNING.
    result: str
    # The condition that found it, and what it said.
    source: str
    message: str


@dataclass
class Outcome:
    """How a module ended."""

    module: str
    variant: dict[str, str]
    test_id: str
    # PASSED, REVIEW, SKIPPED, WARNING, FAILED, UNKNOWN; or INTERRUPTED, TIMEOUT if we did not wait any longer, NOT_RUN if the
    # suite refused.
    result: str
    findings: list[Finding] = field(default_factory=list)
    # Addresses that its browser has no steps for.
    unvisited: list[str] = field(default_factory=list)

    def count(self, result: str) -> int:
        """How many findings are of that kind."""
        return sum(finding.result == result for finding in self.findings)


@dataclass(frozen=True)
class Pace:
    """How long to wait, in seconds: between two questions, and for one module."""

    poll: float
    limit: float


class Suite:
    """A suite. The token is read from the environment, because everybody on this machine sees arguments."""

    def __init__(self, web: Web, pace: Pace) -> None:
        self.web = web
        self.pace = pace
        token = os.environ.get(TOKEN_VARIABLE)
        if token:
            self.web.authorization = f"Bearer {token}"

    def check(self) -> None:
        """Whether it is there, and lets us in."""
        self._read("GET", "/api/plan", {"length": "1"}, 200)

    def create_plan(self, configuration: Configuration, document: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        """A new plan: its identifier and its modules."""
        query = {"planName": configuration.plan}
        if configuration.variant:
            query["variant"] = json.dumps(dict(configuration.variant))
        made = self._read("POST", "/api/plan", query, 201, document)
        return made["id"], made["modules"]

    def run(self, plan_id: str, module: dict[str, Any]) -> Outcome:
        """Runs one module to its end, or until it takes too long."""
        name, variant = module["testModule"], module.get("variant") or {}
        query = {"test": name, "plan": plan_id}
        if variant:
            query["variant"] = json.dumps(variant)
        try:
            test_id = self._read("POST", "/api/runner", query, 201)["id"]
        except Unreachable:
            raise
        except Problem as problem:
            # The others may go better.
            return Outcome(name, variant, "", "NOT_RUN", [Finding("FAILURE", "scripts/conformance", str(problem))])
        result = self._wait(test_id)
        outcome = Outcome(name, variant, test_id, result, self._findings(test_id))
        if result == "TIMEOUT":
            outcome.unvisited = self._unvisited(test_id)
            # The alias is for the next one.
            self.web.send("DELETE", f"/api/runner/{test_id}")
        return outcome

    def archive(self, plan_id: str) -> bytes:
        """Everything of a plan, as a ZIP file with pages for people."""
        return self._ask("GET", f"/api/plan/exporthtml/{plan_id}", {}, 200).body

    def page_of(self, plan_id: str) -> str:
        """Where a person sees it."""
        return f"{self.web.base}/plan-detail.html?plan={plan_id}"

    def _wait(self, test_id: str) -> str:
        # While it waits for its browser (WAITING) there is nothing to do for us: the steps are in the configuration.
        until, is_started = time.monotonic() + self.pace.limit, False
        while True:
            info = self._read("GET", f"/api/info/{test_id}", {}, 200)
            status = info.get("status")
            if status in OVER:
                return "INTERRUPTED" if status == "INTERRUPTED" else str(info.get("result") or "UNKNOWN")
            if status == CONFIGURED and not is_started:
                # Most begin by themselves; somebody may have begun it meanwhile.
                self.web.send("POST", f"/api/runner/{test_id}")
                is_started = True
            if time.monotonic() >= until:
                return "TIMEOUT"
            time.sleep(self.pace.poll)

    def _findings(self, test_id: str) -> list[Finding]:
        log = self._read("GET", f"/api/log/{test_id}", {}, 200)
        bad = [entry for entry in log if entry.get("result") in ("FAILURE", "WARNING")]
        return [Finding(entry["result"], str(entry.get("src", "")), str(entry.get("msg", ""))) for entry in bad]

    def _unvisited(self, test_id: str) -> list[str]:
        # What a suite of today has, and one that forgot the module has not.
        answer = self.web.send("GET", f"/api/runner/browser/{test_id}")
        document = answer.json() if answer.status == 200 else None
        return [str(url) for url in (document or {}).get("urls", [])]

    def _read(
        self, method: str, path: str, query: dict[str, str], expected: int, document: dict[str, Any] | None = None
    ) -> Any:
        found = self._ask(method, path, query, expected, document).json()
        if not isinstance(found, (dict, list)):
            raise Problem(f"what answers at {self.web.base} is no suite: {method} {path} is answered without JSON")
        return found

    def _ask(
        self, method: str, path: str, query: dict[str, str], expected: int, document: dict[str, Any] | None = None
    ) -> Answer:
        answer = self.web.send(method, path, document, query=query)
        if answer.status == expected:
            return answer
        if answer.status in (401, 403) or 300 <= answer.status < 400:
            # Without a token it sends browsers to its sign-in page.
            raise Unreachable(
                f"the suite at {self.web.base} does not let us in ({answer.said()})\n"
                f"  mend: put a token of its page \"API tokens\" into {TOKEN_VARIABLE}"
            )
        if answer.status in (502, 503, 504):
            raise Unreachable(f"the suite at {self.web.base} is not there: {answer.said()}")
        raise Problem(f"{method} {path} of the suite is refused: {answer.said()}")
