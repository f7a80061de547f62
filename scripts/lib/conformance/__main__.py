"""The command line: see docs/conformance/README.md."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from pathlib import Path
from typing import Any

from . import configuration, plans, preparation, private_files, report
from .ostiary import Admin, Ostiary
from .plans import Configuration
from .problem import Exit, Problem, Unreachable
from .report import ExpectedSkips
from .suite import Outcome, Pace, Suite
from .web import Web, tls

STEPS = ("prepare", "config", "run")
SKIPS = Path(__file__).with_name("skips.json")


def main(arguments: list[str]) -> Exit:
    """Runs the steps that were asked for."""
    options = _parser().parse_args(arguments)
    try:
        if options.plan == ["list"]:
            return _list()
        return _steps(options)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return problem.ends_with
    except KeyboardInterrupt:
        return Exit.NOT_READY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance",
        description="Prepares an Ostiary for the OpenID Foundation's conformance suite and has the suite test it.",
        epilog="Ends with 0 if every module passed, is for a person to review, or is skipped as listed; 1 if not; 2 if nothing "
        "was run because something is not as it has to be; 3 if a server cannot be reached or does not let us in.",
    )
    parser.add_argument("plan", nargs="+", help="`all`, plans or configurations by name, or `list`, which names them")
    parser.add_argument("--suite", metavar="URL", help="the address of the suite")
    parser.add_argument("--alias", default="ostiary", help="what the suite's addresses for these tests are called (ostiary)")
    parser.add_argument("--issuer", metavar="URL", help="the issuer of the server, for the step prepare")
    parser.add_argument("--credentials", metavar="FILE", type=Path, help="what `ostiary bootstrap --output FILE` wrote")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of prepare,config,run (all)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="where everything goes (.ostiary/conformance/ALIAS)")
    parser.add_argument("--skips", metavar="FILE", type=Path, default=SKIPS, help="the modules that may be skipped")
    parser.add_argument("--insecure-suite", action="store_true", help="take whatever certificate the suite shows")
    parser.add_argument("--issuer-ca", metavar="FILE", help="a PEM file of further authorities to believe the server with")
    parser.add_argument("--time-limit", metavar="SECONDS", type=float, default=300, help="for one module (300)")
    parser.add_argument("--poll", metavar="SECONDS", type=float, default=1, help="between two questions to the suite (1)")
    return parser


def _list() -> Exit:
    for each in plans.CONFIGURATIONS:
        variant = " ".join(f"{name}={value}" for name, value in each.variant)
        print(f"{each.name}\n    {each.plan} {variant}".rstrip())
    return Exit.GOOD


def _steps(options: argparse.Namespace) -> Exit:
    steps = options.steps.split(",")
    if not set(steps) <= set(STEPS):
        raise Problem(f"there is no such step as {options.steps}\n  mend: name some of {','.join(STEPS)}")
    if options.suite is None:
        raise Problem("it is not said where the suite is\n  mend: give --suite URL")
    # The suite takes no other names.
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", options.alias):
        raise Problem("an alias is made of letters, digits, _ and -\n  mend: choose another one")
    chosen = plans.chosen(options.plan)
    folder = options.output or Path(".ostiary/conformance") / options.alias
    skips = ExpectedSkips(options.skips)
    suite = None
    if "run" in steps:
        web = Web(options.suite, tls(insecure=options.insecure_suite), "the suite")
        suite = Suite(web, Pace(options.poll, options.time_limit))
        # Before anything is changed at the server.
        suite.check()
    private_files.make_folder(folder)
    if "prepare" in steps:
        _prepare(options, chosen, folder)
    if "config" in steps:
        _config(options.alias, chosen, folder)
    return _run(suite, chosen, folder, skips) if suite else Exit.GOOD


def _prepare(options: argparse.Namespace, chosen: list[Configuration], folder: Path) -> None:
    if options.issuer is None:
        raise Problem("it is not said which server is to be tested\n  mend: give --issuer URL")
    server = Ostiary(Web(options.issuer, tls(options.issuer_ca), "the server"))
    for remark in preparation.remarks(server):
        print(f"note: {remark}", file=sys.stderr)
    suite = f"{options.suite.rstrip('/')}/test/a/{options.alias}"
    prepared = preparation.prepare(Admin(server, options.credentials), chosen, options.alias, suite)
    private_files.write_json(folder / "prepared.json", prepared)
    count = sum(len(each) for each in prepared["clients"].values())
    print(f"Prepared {server.issuer}: {prepared['person']['username']} and {count} clients.")


def _config(alias: str, chosen: list[Configuration], folder: Path) -> None:
    prepared = private_files.read_json(folder / "prepared.json", "run the step prepare first")
    private_files.make_folder(folder / "configurations")
    for each in chosen:
        if not each.registers_clients and each.clients not in prepared["clients"]:
            raise Problem(f"{each.name} was not prepared\n  mend: run the step prepare for it")
        document = configuration.document(each, alias, prepared)
        private_files.write_json(folder / "configurations" / f"{each.name}.json", document)
    print(f"Wrote {len(chosen)} configurations to {folder / 'configurations'}.")


def _run(suite: Suite, chosen: list[Configuration], folder: Path, skips: ExpectedSkips) -> Exit:
    began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ")
    results = folder / "results" / began
    private_files.make_folder(folder / "results")
    private_files.make_folder(results)
    bad = []
    for each in chosen:
        mend = "run the step config first"
        document = private_files.read_json(folder / "configurations" / f"{each.name}.json", mend)
        try:
            is_good = _run_one(suite, each, document, results, skips)
        except Unreachable:
            raise
        except Problem as problem:
            # A plan that is refused keeps none of the others from running.
            print(f"{each.name}: {problem}", file=sys.stderr)
            is_good = False
        bad += [] if is_good else [each.name]
    print(f"\nResults are in {results}.")
    if bad:
        print(f"Not as certification wants it: {' '.join(bad)}")
    return Exit.BAD_RESULT if bad else Exit.GOOD


def _run_one(
    suite: Suite, each: Configuration, document: dict[str, Any], results: Path, skips: ExpectedSkips
) -> bool:
    plan_id, modules = suite.create_plan(each, document)
    print(f"\n{each.name}: {suite.page_of(plan_id)}", flush=True)
    plan = {"plan": each.plan, "variant": dict(each.variant), "plan_id": plan_id}
    outcomes: list[Outcome] = []
    # One after the other: an alias is one module's at a time.
    for module in modules:
        outcomes.append(suite.run(plan_id, module))
        # Each time: what was found is not lost if the suite goes away.
        report.keep(results / f"{each.name}.json", each.name, plan, outcomes)
    print("\n".join(report.lines(outcomes, skips)), flush=True)
    private_files.write(results / f"{each.name}.zip", suite.archive(plan_id))
    # A plan without modules has shown nothing.
    return bool(outcomes) and all(skips.is_good(outcome) for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
