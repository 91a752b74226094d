"""Put small faults into the core, one at a time, and list those that no test sees: python -m benchmarks.mutants.

A script of our own: mutmut and cosmic-ray start an interpreter and import torch for every fault, which takes longer
than the tests. Here one process imports it once and forks. Needs `pip install coverage`.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from benchmarks.mutations import Site, sites

ROOMS = ("generation", "sampling", "plan", "midi_file", "constraints")
RESULTS = Path(__file__).parent / "results" / "mutants.md"
TESTS = ("generation", "sampling", "plan", "midi", "constraints", "echo", "harmony", "attributes", "test_loop.py")
SINCE = "seen since"  # how the reason of a fault begins that a test saw after the run
SECONDS = 12.0  # of tests for one fault: those of its own room first, the quickest before the others
HEAVY = ("numpy", "torch", "mido", "hypothesis", "typer", "rich", "safetensors", "fastapi", "starlette.testclient")
HEAD = """# Faults that no test sees

Written by `python -m benchmarks.mutants`: {count} faults, the first of {drawn} drawn with seed {seed} from the
{total:,} that `mutations.py` can put into the rooms below, as many from each. Each ran against tests that execute its
line, until one failed.

| room | faults | seen by a test | seen since, retried by hand | on no tested line | survived |
|---|--:|--:|--:|--:|--:|
{rows}

{remarks}## Survivors

Those that a test saw when they were retried by hand, after the run, name it.

| where | before | after | why it is there |
|---|---|---|---|
{survivors}
"""
REMARKS = re.compile(r"^(## How to read this\n.*?)^## ", re.DOTALL | re.MULTILINE)  # written by hand, kept
STATES = ("seen", SINCE, "untested", "survived")


@dataclass(eq=False)
class Recorder:
    """Which tests execute which line, and how long they take: a plug-in for pytest. What a fixture that many tests
    share executes counts for all tests of its file. A test that fails as things are has no time, so it is never
    chosen: it would see every fault."""

    cover: Any
    seconds: dict[str, float]
    failed: set[str] = field(default_factory=set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.cover.switch_context(item.nodeid.split("::")[0])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self.cover.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
            self.seconds.pop(report.nodeid, None)  # what its set-up took
        elif report.nodeid not in self.failed:
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def recorded(folder: str, to: Path) -> dict[str, Any]:
    """What `record` finds in a folder of tests, in a process of its own; kept in the file `to`."""
    if not to.exists():
        if not (child := os.fork()):
            record([f"tests/{folder}"], to)
            os._exit(0)
        os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(to.read_text())
    return found


def record(tests: Sequence[str], to: Path) -> None:
    """Run the tests as they are and keep, per file and line, those that execute it."""
    import coverage

    cover = coverage.Coverage(data_file=None, include=[f"midigpt_core/{room}/*" for room in ROOMS])
    seconds: dict[str, float] = {}
    cover.start()
    pytest.main([*tests, "-q", "-p", "no:cacheprovider"], plugins=[Recorder(cover, seconds)])
    cover.stop()
    data = cover.get_data()
    lines = {
        os.path.relpath(file): {str(line): tests for line, tests in data.contexts_by_lineno(file).items()}
        for file in data.measured_files()
    }
    to.write_text(json.dumps({"seconds": seconds, "lines": lines}))


@dataclass(frozen=True)
class Coverage:
    """What `record` kept."""

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def add(self, found: dict[str, Any]) -> None:
        """What one more folder of tests came to."""
        self.seconds.update(found["seconds"])
        for file, lines in found["lines"].items():
            for line, names in lines.items():
                self.lines.setdefault(file, {}).setdefault(line, []).extend(names)

    def tests(self, site: Site) -> list[str]:
        """The tests that execute a line, those of its room first, as many as there is time for."""
        lines = self.lines.get(site.file, {})
        names = {name for line in site.lines for name in lines.get(str(line), [])}
        if "" in names:  # at import: whatever uses the file
            names = {name for found in lines.values() for name in found}
        chosen = [test for test in self.seconds if test in names or test.split("::")[0] in names]
        spent, kept = 0.0, []
        own = f"tests/{Path(site.file).parent.name.removesuffix('_file')}/"
        for test in sorted(chosen, key=lambda test: (not test.startswith(own), self.seconds[test])):
            spent += self.seconds[test]
            if spent > SECONDS and kept:
                break
            kept.append(test)
        return kept


@dataclass(frozen=True)
class Faulty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module with a fault in it."""

    name: str
    code: CodeType
    file: str

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.file, loader=self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def seen(site: Site, tests: Sequence[str]) -> bool:
    """Whether a test fails, or never ends, with the fault in place: in a process of its own."""
    child = os.fork()
    if not child:
        os.setsid()
        with _silent():
            name = site.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            sys.meta_path.insert(0, Faulty(name, site.code(), os.path.abspath(site.file)))
            code = pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider"])
        os._exit(int(code != 0))
    deadline = time.monotonic() + 4 * SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


@contextmanager
def _silent() -> Iterator[None]:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    yield


def drawn(count: int, seed: int) -> tuple[list[Site], int]:
    """(a draw of `count` faults of each room, how many there are in all)."""
    draw, chosen, total = random.Random(seed), [], 0
    for room in ROOMS:
        found = [site for file in sorted(Path("midigpt_core", room).glob("*.py")) for site in sites(file)]
        chosen += draw.sample(found, min(count, len(found)))
        total += len(found)
    return draw.sample(chosen, len(chosen)), total


def run(chosen: Sequence[Site], coverage: Coverage, log: Path, seconds: float) -> list[tuple[Site, str]]:
    """What became of each fault: seen, survived or untested. `log` keeps it for a run that is interrupted."""
    known = dict(json.loads(line) for line in log.read_text().splitlines()) if log.exists() else {}
    outcomes: list[tuple[Site, str]] = []
    end = time.monotonic() + seconds
    for i, site in enumerate(chosen, 1):
        key = f"{site.file}:{site.number}"
        if key not in known and time.monotonic() > end:
            break
        if key not in known:
            tests = coverage.tests(site)
            known[key] = "untested" if not tests else "seen" if seen(site, tests) else "survived"
            with log.open("a") as file:
                file.write(json.dumps([key, known[key]]) + "\n")
        outcomes.append((site, known[key]))
        if known[key] != "seen":
            print(i, known[key], f"{site.file}:{site.lines.stop - 1}", *site.change(), sep="  ", flush=True)
    return outcomes


def report(outcomes: Sequence[tuple[Site, str]], drawn: int, total: int, seed: int) -> str:
    """The page. Reasons and remarks that stand in the page already are kept."""
    page = RESULTS.read_text() if RESULTS.exists() else ""
    reasons: dict[str, str] = defaultdict(str)
    for line in page.splitlines():
        head, _, reason = line.removesuffix(" |").rpartition(" | ")
        reasons[head] = reason
    counts, survivors = Counter[tuple[str, str]](), []
    for site, state in sorted(outcomes, key=lambda row: (row[0].file, row[0].number)):
        if state != "seen":
            before, after = (f"`` {text} ``".replace("|", "\\|") for text in site.change())
            head = f"| {site.file.removeprefix('midigpt_core/')}: {site.function} | {before} | {after}"
            survivors.append(f"{head} | {reasons[head]} |")
            state = SINCE if reasons[head].startswith(SINCE) else state
        counts[Path(site.file).parent.name, state] += 1
    rows = [[room, *(counts[room, state] for state in STATES)] for room in ROOMS]
    rows.append(["all", *(sum(counts[room, state] for room in ROOMS) for state in STATES)])
    table = "\n".join("| " + " | ".join(map(str, (row[0], sum(row[1:]), *row[1:]))) + " |" for row in rows)
    remarks = found.group(1).strip() + "\n\n" if (found := REMARKS.search(page)) else ""
    return HEAD.format(
        count=len(outcomes),
        drawn=drawn,
        seed=seed,
        total=total,
        rows=table,
        remarks=remarks,
        survivors="\n".join(survivors),
    )


def main() -> None:
    """Record which tests execute which lines, then try the faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="faults of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="+", default=TESTS, help="folders and files of tests/ to choose from")
    parser.add_argument("--again", action="store_true", help="try once more what no test has seen so far")
    parser.add_argument(
        "--minutes", type=float, default=60, help="stop after this time; the next run goes on from there"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/mutants"), help="where coverage and progress are kept"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    coverage = Coverage({}, {})
    for name in options.tests:
        coverage.add(recorded(name, options.folder / f"{name.replace('/', '.')}.json"))
    for name in HEAVY:
        importlib.import_module(name)
    chosen, total = drawn(options.count, options.seed)
    log = options.folder / f"{options.seed}.jsonl"
    if options.again and log.exists():
        log.write_text("".join(line for line in log.read_text().splitlines(True) if '"seen"' in line))
    outcomes = run(chosen, coverage, log, 60 * options.minutes)
    RESULTS.write_text(report(outcomes, len(chosen), total, options.seed))


if __name__ == "__main__":
    main()
