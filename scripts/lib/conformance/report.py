"""What came of it: judged, shown as a table, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import private_files
from .problem import Problem
from .suite import Outcome

GOOD = ("PASSED", "REVIEW")


class ExpectedSkips:
    """The modules that may be skipped, each with a reason."""

    def __init__(self, path: Path) -> None:
        mend = "give --skips a list of {module, reason}"
        listed = private_files.read_json(path, mend)
        try:
            self._reasons = {str(entry["module"]): str(entry["reason"]) for entry in listed}
        except (KeyError, TypeError):
            raise Problem(f"{path} is no list of modules with reasons\n  mend: {mend}") from None

    def reason(self, outcome: Outcome) -> str | None:
        """Why this one may be skipped."""
        return self._reasons.get(outcome.module) if outcome.result == "SKIPPED" else None

    def is_good(self, outcome: Outcome) -> bool:
        """Whether certification takes that result. Findings count, whatever the module makes of them."""
        if outcome.findings:
            return False
        return outcome.result in GOOD or self.reason(outcome) is not None


def lines(outcomes: Iterable[Outcome], skips: ExpectedSkips) -> list[str]:
    """A table for a terminal: what is not good says why below its row."""
    outcomes = list(outcomes)
    width = max([len("module"), *(len(outcome.module) for outcome in outcomes)])
    found = [f"  {'module':<{width}}  {'result':<11}  {'warnings':>8}  {'failures':>8}"]
    for outcome in outcomes:
        mark = " " if skips.is_good(outcome) else "!"
        counts = f"{outcome.count('WARNING'):>8}  {outcome.count('FAILURE'):>8}"
        found.append(f"{mark} {outcome.module:<{width}}  {outcome.result:<11}  {counts}")
        reason = skips.reason(outcome)
        found += [f"      {reason}"] if reason else []
        found += [f"      {one.result}: {one.source}: {one.message}" for one in outcome.findings]
        found += [f"      waits for somebody to open {url}" for url in outcome.unvisited]
    return found


def keep(path: Path, name: str, plan: dict[str, Any], outcomes: list[Outcome]) -> None:
    """Writes the results of one configuration."""
    private_files.write_json(path, {"configuration": name, **plan, "modules": [asdict(one) for one in outcomes]})
