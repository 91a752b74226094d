"""Where songs come from and where results go: names, folders, pipes, and nothing overwritten unasked."""

from __future__ import annotations

import itertools
import os
import re
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from midigpt_cli.options.shared_options import Output
from midigpt_cli.output import rendering
from midigpt_cli.output.streams import is_closed
from midigpt_cli.parse.song_paths import MIDI_ENDINGS
from midigpt_cli.parse.song_reading import AS_IT_IS, Reading, read_as_told
from midigpt_core.errors import MidiWriteError
from midigpt_core.fields import refused
from midigpt_core.midi_file.midi_bytes import put
from midigpt_core.score import Score

PIPE = "-"
_SPEC = re.compile(r"[<>^]?0?\d{0,2}(\.\d{1,2})?[ds]?")  # of a field in --filename: no name is longer
FIELDS = ("stem", "take", "rank", "seed", "command", "ext")


@dataclass(frozen=True)
class Written:
    """One result on its way into a file."""

    score: Score
    take: int  # from 1, in the order of the seeds
    rank: int  # from 1, best first
    seed: int
    midi: bytes | None = None  # its file, where that is finished already

    def to_midi(self, file: Path | IO[bytes]) -> None:
        """Write it. Raises MidiWriteError."""
        if self.midi is None:
            self.score.to_midi(file)
        else:
            put(self.midi, file)


Put = Callable[[Written, Path], None]


def read_song(song: str | IO[bytes], reading: Reading = AS_IT_IS) -> Score:
    """The score of a file, or of standard input for "-". Raises MidiFileError, RequestValidationError."""
    if song != PIPE:
        return read_as_told(song, reading)
    if sys.stdin.isatty():
        raise refused("SONG", song, "means standard input, which is a terminal", "pipe a MIDI file into it")
    return read_as_told(sys.stdin.buffer, reading)


class Destination:
    """The files of one command, named by its options; raises RequestValidationError where they do not go together.

    Songs come with their subfolders of the folder that was named (`songs_in`); the output folder gets the same ones.
    """

    def __init__(
        self, options: Output, command: str, songs: Mapping[str, Path], takes: int, ending: str = "mid"
    ) -> None:
        self.options, self.command, self.ending, self._subfolders = options, command, ending, songs
        self._mine: set[Path] = set()  # written by this command
        self._taken: dict[Path, str] = {}  # file -> the song that will be written there
        self._shifts: dict[str, int] = {}  # song -> what is added to the numbers in its names, so that all are free
        self._endings = rendering.endings(options.render)
        for made in (*self._endings, *([f".{ending}"] if ending != "mid" else [])):
            rendering.check(made)
        for option, name in (("--output", options.output), ("--filename", options.filename)):
            if ending == "mid" and name and (option == "--filename" or not self._is_folder()):
                rendering.check_midi_name(option, name)
        self.files = min(takes, options.keep_best) if options.keep_best else takes  # per song
        if options.output == PIPE:
            if self._endings:
                raise refused(
                    "--render", options.render, "needs files with names", "name a file with -o, or leave it out"
                )
            if len(songs) * self.files > 1:
                raise refused("--output", PIPE, f"takes one file, not {len(songs) * self.files}", "add --keep-best 1")
            if is_closed("stdout"):
                raise refused("--output", PIPE, "is standard output, which is closed", "name a file")
            if sys.stdout.isatty():
                raise refused(
                    "--output", PIPE, "would write MIDI to a terminal", "pipe it into something, or name a file"
                )
        elif options.output and not self._is_folder() and len(songs) > 1:
            raise refused(
                "--output", options.output, f"is one file for {len(songs)} songs", "name a folder (ending in /)"
            )
        self._check_template()

    @property
    def is_pipe(self) -> bool:
        """Whether MIDI goes to standard output."""
        return self.options.output == PIPE

    def for_song(self, song: str) -> Destination:
        """The same, where a song that comes through a pipe goes out through one."""
        if song == PIPE and self.options.output is None:
            from dataclasses import replace

            return Destination(replace(self.options, output=PIPE), self.command, {song: Path()}, self.files)
        return self

    def check_free(self, song: str) -> None:
        """Refuse, before any work, to write over what is there; names with a seed in them are known only after it.

        Where the name is not the user's, it takes the next free number instead.
        """
        if self.options.filename and "{seed" in self.options.filename:
            return
        self._shifts[song] = self._free_shift(song)
        for path in self._paths(song):
            for file in (path, *self.beside(path)):
                self._check_free(file, song)
                self._taken[file] = song
            if not self.is_pipe:
                check_folder(path.parent)

    def _paths(self, song: str) -> list[Path]:
        """The names of a song's files, as far as they are known before the work."""
        return [self.path_of(song, Written(Score(), n, n, 0)) for n in range(1, self.files + 1)]

    def _free_shift(self, song: str) -> int:
        if not self._names_itself or self.options.force:
            return 0
        for shift in itertools.count():
            self._shifts[song] = shift
            files = [file for path in self._paths(song) for file in (path, *self.beside(path))]
            if any(self._is_taken(file, song) for file in files):
                return shift  # another song of this command has the name: refused, lest nobody knows which is which
            if not any(file.is_file() for file in files):
                return shift
        raise AssertionError("numbers do not end")

    @property
    def _names_itself(self) -> bool:
        """Whether the names of files are made here, not given."""
        return self.options.filename is None and not self.is_pipe and (not self.options.output or self._is_folder())

    def beside(self, path: Path | str) -> list[Path]:
        """The sound files and pictures that go with a result."""
        file = Path(path)
        return [made for made in (self._renamed(file, ending) for ending in self._endings) if made != file]

    def _renamed(self, file: Path, ending: str) -> Path:
        """The file with another ending; a suffix that says nothing of what is in it stays."""
        known = (*MIDI_ENDINGS, f".{self.ending}")
        return file.with_name((file.stem if file.suffix.lower() in known else file.name) + ending)

    def write(self, song: str, results: Sequence[Written], write_one: Put = Written.to_midi) -> list[str]:
        """Write every result, once it is sure that none takes the place of another file; the paths, or "-"."""
        if self.is_pipe:
            for result in results:
                result.to_midi(sys.stdout.buffer)
                sys.stdout.buffer.flush()
            return [PIPE] * len(results)
        paths = [self.path_of(song, result) for result in results]
        files = [file for path in paths for file in (path, *self.beside(path))]
        for file in files:
            self._check_free(file, song)
        self._mine.update(files)
        for path, result in zip(paths, results, strict=True):
            _make_folder(path.parent)
            write_one(result, path)
        return [str(path) for path in paths]

    def _is_taken(self, path: Path, song: str) -> bool:
        return path in self._mine or self._taken.get(path, song) != song

    def _check_free(self, path: Path, song: str) -> None:
        if self._is_taken(path, song):
            raise refused(
                "--output",
                str(path),
                "is the file of another song of this command",
                "put {take} or {stem} into --filename, or use other folders",
            )
        if not self.is_pipe and path.is_file() and not self.options.force:
            raise refused("--output", str(path), "exists", "add --force to overwrite it, or choose another name")

    def _is_folder(self) -> bool:
        output = self.options.output or ""
        return output.endswith(("/", "\\")) or Path(output).is_dir()

    def path_of(self, song: str, result: Written) -> Path:
        """Where a result goes, when it goes into a file."""
        output = self.options.output
        if output and not self._is_folder():
            file = self._ended(Path(output))
            return file if self.files == 1 else file.with_name(f"{file.stem}.{self._number(result)}{file.suffix}")
        source = Path("stdin.mid" if song == PIPE else song)
        folder = Path(output, self._subfolders.get(song, "")) if output else source.parent
        return self._ended(folder / self._name(source, result, self._shifts.get(song, 0)))

    def _ended(self, file: Path) -> Path:
        """The file itself where it is to hold MIDI; else its name ends as its format does."""
        return file if self.ending == "mid" else self._renamed(file, f".{self.ending}")

    def _name(self, source: Path, result: Written, shift: int) -> str:
        words = {
            "stem": source.stem,
            "take": self._number(result) + shift,
            "rank": result.rank,
            "seed": result.seed,
            "command": self.command,
            "ext": self.ending,
        }
        default = "{stem}.{command}.{ext}" if self.files == 1 and not shift else "{stem}.{command}.{take}.{ext}"
        return (self.options.filename or default).format(**words)

    def _number(self, result: Written) -> int:
        return result.rank if self.options.keep_best else result.take

    def _check_template(self) -> None:
        template = self.options.filename
        if template is None:
            return
        try:
            parts = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
            fields = {name for name, _, _ in parts}
            if not fields <= set(FIELDS) or any(kind or not _SPEC.fullmatch(spec or "") for _, spec, kind in parts):
                raise ValueError("a field or its width")
            template.format(stem="", take=1, rank=1, seed=0, command="", ext="mid")
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            known = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise refused("--filename", template, f"cannot be read ({error!r})", f"use {known}") from error
        if self.files > 1 and not fields & {"take", "rank", "seed"}:
            raise refused("--filename", template, f"is one name for {self.files} takes", "put {take} into it")


def free_name(path: Path) -> Path:
    """The path itself, or with the next free number before its ending: song.wav, song.2.wav, song.3.wav."""
    numbered = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in itertools.count(2))
    return next(file for file in itertools.chain([path], numbered) if not file.exists())


def check_folder(folder: Path) -> None:
    """Raise MidiWriteError where nothing can be written into this folder, or it cannot be made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise MidiWriteError(f"{there}: is a file, so nothing can be written into it; choose another folder with -o")
    if not os.access(there, os.W_OK):
        raise MidiWriteError(f"{there}: may not be written to; choose another folder with -o")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MidiWriteError(f"{folder}: cannot be made: {error.strerror or error}") from error
