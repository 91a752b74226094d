"""Run one command on its songs: read, ask, generate, write, report; go on past a song that fails."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from midigpt_cli import history, malloc_tuning
from midigpt_cli.cli_errors import in_option_names
from midigpt_cli.load_model import Model
from midigpt_cli.make_takes import LANES_OF_MANY, LANES_OF_ONE, Prepare, Read, SongMaker, SongRequest, SongTakes
from midigpt_cli.options.shared_options import Many, ModelChoice, Output, Reporting
from midigpt_cli.output import rendering
from midigpt_cli.output.destination import PIPE, Destination, Written, read_song
from midigpt_cli.output.manifest import Manifest
from midigpt_cli.output.progress import counting
from midigpt_cli.output.result_report import Done
from midigpt_cli.parallel import in_parallel
from midigpt_core.errors import CheckpointError, GenerationError, MidiGptError, RequestValidationError
from midigpt_core.fields import refused
from midigpt_core.request import GenerationRequest
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_cli.live.sound import Device
    from midigpt_core.generation.run import Result
    from midigpt_core.generation.take import Take

Begun = Iterator[tuple[str, Callable[[], SongTakes | None]]]  # each song with what gives its takes, or raises its error


@dataclass(frozen=True)
class CommandOptions:
    """Options that all generating commands share."""

    command: str
    model: ModelChoice
    output: Output
    reporting: Reporting
    many: Many = field(default_factory=Many)
    by_file: bool = False  # the request is a file's: faults in it are told in its own words
    understood: dict[str, Any] | None = None  # of a prompt in words


class CommandRun:
    """One command at work."""

    def __init__(self, options: CommandOptions, takes: int, songs: Mapping[str, Path]) -> None:
        self.options, self.songs = options, list(songs)
        alone = len(self.songs) == 1 or options.output.play or options.reporting.dry_run
        self.at_once = 1 if alone else options.many.jobs
        self.elsewhere = options.many.cluster is not None and not (options.output.play or options.reporting.dry_run)
        self.model = Model(options.model, *(LANES_OF_MANY if self.at_once > 1 else LANES_OF_ONE))
        self.destination = Destination(options.output, options.command, songs, takes)
        if options.reporting.to_program and (
            self.destination.is_pipe or (PIPE in songs and options.output.output is None)
        ):
            raise refused("--json", None, "and MIDI cannot share standard output", "name a file with -o")
        self.device = _sound() if options.output.play else None
        self.manifest = Manifest(options.many.manifest, options.many.resume, options.output.force)
        self.reports: list[dict[str, Any]] = []
        self._naming = threading.Lock()

    def run(self, prepare: Prepare, read: Read = read_song) -> None:
        """All songs, with one model. A single song's error is raised; several are gone through, then exit 1."""
        failure: MidiGptError | None = None
        todo = [song for song in self.songs if song not in self.manifest.done]
        if len(todo) < len(self.songs) and not self.options.reporting.quiet:
            typer.echo(f"midigpt: {len(self.songs) - len(todo)} songs are finished already", err=True)
        maker = SongMaker(self.model, prepare, read, self.options.reporting, len(self.songs))
        begun = self._on_cluster if self.elsewhere else self._side_by_side if self.at_once > 1 else self._in_turn
        if len(todo) > 1:
            malloc_tuning.share_heaps()
        with counting(self.options.reporting, 1 if begun == self._in_turn else len(todo)) as tell:
            for number, (song, taken) in enumerate(begun(todo, maker), 1):
                failure = self._ended(song, taken) or failure
                del taken  # and what it holds, before the next one is waited for
                malloc_tuning.give_back(number)
                tell(number)
        if self.options.reporting.as_json and not self.options.reporting.json_lines:
            self._print_json()
        if failure is not None:
            if len(self.songs) == 1:
                raise failure
            raise typer.Exit(1)

    def _in_turn(self, songs: Sequence[str], maker: SongMaker) -> Begun:
        for number, song in enumerate(songs):
            yield song, partial(self._begin, song, maker, number)

    def _side_by_side(self, songs: Sequence[str], maker: SongMaker) -> Begun:
        for song, begun in in_parallel(songs, lambda song: self._begin(song, maker), self.at_once, maker.stop):
            yield song, begun.result

    def _on_cluster(self, songs: Sequence[str], maker: SongMaker) -> Begun:
        from midigpt_cli.cluster.cluster_songs import Crew

        looked_at = bool(self.options.output.render) or self._shown  # then the scores themselves are needed here
        with Crew.of(self.options.many, maker, packed=not looked_at) as crew:
            for song, made in crew.written(songs, self._check_free):
                yield song, partial(self._arrived, song, made)

    def _arrived(self, song: str, made: Callable[[], SongRequest]) -> SongTakes | None:
        """What a worker has sent."""
        return self._to_write(song, made())

    def _ended(self, song: str, taken: Callable[[], SongTakes | None]) -> MidiGptError | None:
        """Write the takes of a song and tell of them; its error, told, if it came to none."""
        try:
            made = taken()
            if made is not None:
                self._finish(song, made)
        except CheckpointError:
            raise  # no song can do without the model
        except MidiGptError as error:
            if isinstance(error, RequestValidationError) and not self.options.by_file:
                error = in_option_names(error)
            self._note({"song": song, "ok": False, "error": _error_facts(error)})
            if len(self.songs) > 1:
                said = str(error) if str(error).startswith(f"{song}: ") else f"{song}: {error}"
                typer.echo(f"midigpt: {said}", err=True)
            return error
        return None

    def _check_free(self, song: str) -> None:
        """Refuse, before any work, to write over what is there."""
        if not self.options.reporting.dry_run:
            with self._naming:
                self.destination.for_song(song).check_free(song)

    def _begin(self, song: str, maker: SongMaker, number: int | None = None) -> SongTakes | None:
        """Read a song and make its takes; nothing where only a plan was asked for."""
        self._check_free(song)
        return self._to_write(song, maker.make(song, song, number))

    def _to_write(self, song: str, made: SongRequest) -> SongTakes | None:
        """The takes that are to be written; where only a plan was asked for, it is shown."""
        if isinstance(made, SongTakes):
            return made
        self._show_plan(song, made.score, made.request)
        return None

    def _finish(self, song: str, taken: SongTakes) -> None:
        """Write what is kept of the takes, and tell of it."""
        started = time.perf_counter()
        kept = self._kept(taken.result)
        if self.device is not None:
            kept = self._heard(self.device, taken.score, taken.result, kept)
        paths, rendered, files = self._write(song, taken, kept)
        written = dict(zip((number for _, number, _ in kept), paths, strict=True))
        seconds = taken.seconds + time.perf_counter() - started
        done = Done(song, taken.score, taken.request, taken.result, written, rendered, seconds)
        if files and history.wanted():
            run = {"command": self.options.command, "song": song, "seed": done.result.seed, "model": self.model.name}
            history.remember({**run, "request": done.asked}, files)
        self._report(done)

    def _write(
        self, song: str, taken: SongTakes, kept: list[tuple[Take, int, int]]
    ) -> tuple[list[str], list[str], list[history.WrittenFile]]:
        """The files written, those made of them, and all of them with what stood there before."""
        before: dict[str, bytes | None] = {}

        def put(result: Written, path: Path) -> None:
            before[str(path)] = history.contents(path)
            result.to_midi(path)

        destination = self.destination.for_song(song)
        results = [Written(t.score, number, rank, t.seed, taken.midi.get(number)) for t, number, rank in kept]
        paths = destination.write(song, results, put)
        rendered, files = [], []
        for (take, number, _), path in zip(kept, paths, strict=True):
            beside = destination.beside(path)
            before |= {str(file): history.contents(file) for file in beside}
            if beside:
                how = rendering.of_changes(song, taken.score, take.score, taken.result.generated)
                rendered += [rendering.make(take.score, file, how)["path"] for file in beside]
            files += [(number, take.seed, str(file), before.get(str(file))) for file in (path, *beside) if path != PIPE]
        return paths, rendered, files

    def _kept(self, result: Result) -> list[tuple[Take, int, int]]:
        """The takes to write with their number and rank. Raises GenerationError where none passed its checks."""
        numbers = {id(take): i for i, take in enumerate(result.takes, 1)}
        ranked = [(take, numbers[id(take)], rank) for rank, take in enumerate(result.ranked, 1)]
        good = [row for row in ranked if row[0].accepted]
        if not good and not self.options.output.allow_partial:
            best = result.ranked[0]
            raise GenerationError(
                f"every attempt was rejected, the last one for {best.rejected[-1]} (seed {result.seed}); raise "
                "--max-attempts or --temperature-escalation, or accept it anyway with --allow-partial"
            )
        chosen = ranked if self.options.output.allow_partial else good
        wanted = self.options.output.keep_best or len(chosen)
        return sorted(chosen[:wanted], key=lambda row: row[1])

    def _heard(
        self, device: Device, score: Score, result: Result, kept: list[tuple[Take, int, int]]
    ) -> list[tuple[Take, int, int]]:
        """The takes that are to be written once somebody has heard them: one, none (the original), or all."""
        from midigpt_cli.live.audition import Version, listen, say, sound_of
        from midigpt_core.audio.piano_roll import around

        bars = around(result.generated, score.n_bars, 1)
        ranked = sorted(kept, key=lambda row: row[2])[:9]
        versions = [Version(str(row[1]), f"take {row[1]}", sound_of(row[0].score, bars)) for row in ranked]
        versions.append(Version("0", "the original", sound_of(score, bars)))
        chosen = listen(versions, device, (lambda words: None) if self.options.reporting.quiet else say)
        return kept if chosen is None else [row for row in kept if str(row[1]) == chosen]

    # ---- telling ----

    @property
    def _shown(self) -> bool:
        """Whether each song is told with a picture of what was written."""
        reporting = self.options.reporting
        return sys.stdout.isatty() and not (reporting.to_program or reporting.quiet)

    def _show_plan(self, song: str, score: Score, request: GenerationRequest) -> None:
        from midigpt_cli.commands.plan import plan_facts, plan_lines, step_estimates

        steps = step_estimates(self.model.encoder, self.model.n_positions, score, request)
        facts = plan_facts(song, score, steps, self.model.n_positions)
        self._note({**facts, "ok": True, "request": request.to_dict()})
        if not self.options.reporting.to_program:
            typer.echo("\n".join(plan_lines(facts, steps, score)))

    def _report(self, done: Done) -> None:
        reporting = self.options.reporting
        if reporting.to_program or self.manifest.path is not None:
            self._note(done.facts())
        if reporting.quiet:
            return
        for line in done.lines():
            typer.echo(line, err=True)
        if not (reporting.to_program or sys.stdout.isatty() or self.destination.for_song(done.song).is_pipe):
            typer.echo("\n".join(done.paths.values()))
        if self._shown and done.paths:
            from rich.console import Console

            done.show(Console(stderr=True))

    def _note(self, report: dict[str, Any]) -> None:
        """Keep what is told of a song, or tell it at once where a line is asked for each."""
        if "outputs" in report or "error" in report:
            self.manifest.note(report)
        if not self.options.reporting.to_program:
            return
        if self.options.reporting.json_lines:
            typer.echo(json.dumps({"command": self.options.command, "model": self.model.facts(), **report}))
            sys.stdout.flush()
        else:
            self.reports.append(report)

    def _print_json(self) -> None:
        report = {"command": self.options.command, "model": self.model.facts(), "songs": self.reports}
        if self.options.understood is not None:
            report["understood"] = self.options.understood
        typer.echo(json.dumps(report))


def _sound() -> Device:
    """Where takes are heard; refused before any work where nothing plays. Raises AudioError."""
    from midigpt_cli.live.sound import open_device

    return open_device()


def _error_facts(error: MidiGptError) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, RequestValidationError):
        facts |= {"field": error.field, "remedy": error.remedy}
    return facts
