"""The checks of a change, each in an environment of its own: `nox -l` lists them, `nox` runs the usual ones.

nox -s tests-3.12        the suite on one Python
nox -s lint types docs   without a Python matrix
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
CONSTRAINTS = ("-c", "constraints.txt")

nox.options.sessions = ["lint", "types", "docs", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite, compiled modules and all."""
    session.install(*CONSTRAINTS, "-e", ".[dev]")
    session.run("pytest", "-q", *session.posargs)


@nox.session(python=PYTHONS)
def smoke(session: nox.Session) -> None:
    """Install the wheel without PyTorch and fill in four bars elsewhere: quick, for every Python."""
    wheels = Path(session.create_tmp()) / "wheels"
    session.run("pip", "wheel", "--no-deps", "-w", str(wheels), ".")
    session.install(*CONSTRAINTS, "-r", "requirements.txt")
    session.install("--no-deps", "--force-reinstall", *map(str, wheels.glob("*.whl")))
    song = f"{session.invoked_from}/samples/pop.mid"
    session.cd(session.create_tmp())
    session.run("midigpt", "infill", song, "--bars", "5-8", "--track", "bass", "--seed", "1", "-o", "x.mid", "--force")


@nox.session
def lint(session: nox.Session) -> None:
    """Style."""
    session.install(*CONSTRAINTS, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types."""
    session.install(*CONSTRAINTS, "-e", ".[dev]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Generated pages are up to date, blocks run, the site builds and its links lead somewhere."""
    session.install(*CONSTRAINTS, "-e", ".[dev]", "mkdocs-material", "mkdocstrings-python")
    session.run("python", "docs/make_cli.py", "--check")
    session.run("python", "docs/make_man.py", "--check")
    session.run("python", "docs/make_site.py")
    session.run("pytest", "-q", "tests/docs", "tests/cli/test_docs.py", "tests/test_release.py")


@nox.session
def release(session: nox.Session) -> None:
    """Build what would be published, and have it looked at as an index does."""
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", f"{session.create_tmp()}/dist")
    session.run("twine", "check", "--strict", *map(str, Path(session.create_tmp(), "dist").glob("*")))
