"""Run one command on its songs: read, ask, generate, write, report; go on past a song that fails."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from midigpt_cli.cli_errors import in_option_names
from midigpt_cli.loading import Model
from midigpt_cli.options.groups import ModelChoice, Output, Reporting
from midigpt_cli.output import rendering
from midigpt_cli.output.destination import PIPE, Destination, Written, read_song
from midigpt_cli.output.report import Done
from midigpt_core.errors import CheckpointError, GenerationError, MidiGptError, RequestValidationError
from midigpt_core.fields import refused
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.attributes.table import AttributeTable
    from midigpt_core.generation.candidates import Take
    from midigpt_core.generation.run import Result

Prepare = Callable[[Score, "AttributeTable"], tuple[Score, GenerationRequest]]  # what to write into which score


@dataclass(frozen=True)
class CommandOptions:
    """What every generating command is told beside its own options."""

    command: str
    model: ModelChoice
    output: Output
    reporting: Reporting
    by_file: bool = False  # the request is a file's: faults in it are told in its own words
    understood: dict[str, Any] | None = None  # of a prompt in words


class CommandRun:
    """One command at work."""

    def __init__(self, options: CommandOptions, takes: int, songs: Sequence[str]) -> None:
        self.options, self.songs = options, list(songs)
        self.model = Model(options.model)
        self.destination = Destination(options.output, options.command, len(self.songs), takes)
        if options.reporting.as_json and (
            self.destination.is_pipe or (PIPE in songs and options.output.output is None)
        ):
            raise refused("--json", None, "and MIDI cannot share standard output", "name a file with -o")
        self.reports: list[dict[str, Any]] = []

    def run(self, prepare: Prepare, read: Callable[[str], Score] = read_song) -> None:
        """All songs, with one model. A single song's error is raised; several are gone through, then exit 1."""
        failure: MidiGptError | None = None
        for song in self.songs:
            try:
                self._in_words(song, prepare, read)
            except CheckpointError:
                raise  # no song can do without the model
            except MidiGptError as error:
                failure = error
                self.reports.append({"song": song, "ok": False, "error": _error_facts(error)})
                if len(self.songs) > 1:
                    said = str(error) if str(error).startswith(f"{song}: ") else f"{song}: {error}"
                    typer.echo(f"midigpt: {said}", err=True)
        if self.options.reporting.as_json:
            self._print_json()
        if failure is not None:
            if len(self.songs) == 1:
                raise failure
            raise typer.Exit(1)

    def _in_words(self, song: str, prepare: Prepare, read: Callable[[str], Score]) -> None:
        try:
            self._one(song, prepare, read)
        except RequestValidationError as error:
            raise (error if self.options.by_file else in_option_names(error)) from error

    def _one(self, song: str, prepare: Prepare, read: Callable[[str], Score]) -> None:
        started = time.perf_counter()
        destination = self.destination.for_song(song)
        if not self.options.reporting.dry_run:
            destination.check_free(song)
        original = read(song)
        score, request = prepare(original, self.model.controls)
        if self.options.reporting.dry_run or request.config.plan_only:
            self._show_plan(song, score, request)
            return
        result = self._generate(song, score, request)
        kept = self._kept(result)
        paths = destination.write(song, [Written(take.score, number, rank, take.seed) for take, number, rank in kept])
        how = rendering.RenderOptions(lit=frozenset(result.generated))
        rendered = []
        for (take, _, _), path in zip(kept, paths, strict=True):
            rendered += [rendering.make(take.score, file, how)["path"] for file in destination.beside(path)]
        written = dict(zip((number for _, number, _ in kept), paths, strict=True))
        self._report(Done(song, score, request, result, written, rendered, time.perf_counter() - started))

    def _generate(self, song: str, score: Score, request: GenerationRequest) -> Result:
        from midigpt_cli.output.progress import following

        session = self.model.engine.session(score, request)
        with following(song, self.options.reporting) as listener:
            session.listener = listener
            return session.run_takes()

    def _kept(self, result: Result) -> list[tuple[Take, int, int]]:
        """The takes to write with their number and rank. Raises GenerationError where none passed its checks."""
        numbers = {id(take): i for i, take in enumerate(result.takes, 1)}
        ranked = [(take, numbers[id(take)], rank) for rank, take in enumerate(result.ranked, 1)]
        good = [row for row in ranked if row[0].accepted]
        if not good and not self.options.output.allow_partial:
            best = result.ranked[0]
            raise GenerationError(
                f"every attempt was rejected, the last because of {best.rejected[-1]} (seed {result.seed}); raise "
                "--max-attempts or --temperature-escalation, or write it all the same with --allow-partial"
            )
        chosen = ranked if self.options.output.allow_partial else good
        wanted = self.options.output.keep_best or len(chosen)
        return sorted(chosen[:wanted], key=lambda row: row[1])

    # ---- telling ----

    def _show_plan(self, song: str, score: Score, request: GenerationRequest) -> None:
        from midigpt_cli.commands.plan import plan_facts, plan_lines, step_estimates

        steps = step_estimates(self.model.encoder, self.model.n_positions, score, request)
        facts = plan_facts(song, score, steps, self.model.n_positions)
        self.reports.append({**facts, "ok": True, "request": request.to_dict()})
        if not self.options.reporting.as_json:
            typer.echo("\n".join(plan_lines(facts, steps, score)))

    def _report(self, done: Done) -> None:
        reporting = self.options.reporting
        self.reports.append(done.facts())
        if reporting.quiet:
            return
        for line in done.lines():
            typer.echo(line, err=True)
        if not (reporting.as_json or sys.stdout.isatty() or self.destination.for_song(done.song).is_pipe):
            typer.echo("\n".join(done.paths.values()))
        if not reporting.as_json and sys.stdout.isatty():
            from rich.console import Console

            done.show(Console(stderr=True))

    def _print_json(self) -> None:
        report = {"command": self.options.command, "model": self.model.facts(), "songs": self.reports}
        if self.options.understood is not None:
            report["understood"] = self.options.understood
        typer.echo(json.dumps(report))


def _error_facts(error: MidiGptError) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, RequestValidationError):
        facts |= {"field": error.field, "remedy": error.remedy}
    return facts
