"""Turn what was understood of a prompt into options: what is given as an option wins, and both are told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import typer

from midigpt_cli.parse.control_values import pitch_class
from midigpt_cli.parse.instruments import NAMES
from midigpt_core.fields import refused
from midigpt_core.music import PITCH_CLASSES
from midigpt_core.score import DRUM, Score, Track
from midigpt_core.words import PromptPart, Understood, read_prompt
from midigpt_core.words.word_tables import BASSES, REGISTERS

if TYPE_CHECKING:
    from midigpt_cli.options.music_options import Music
    from midigpt_cli.options.shared_options import Reporting

KEY = "key_signature"
MELODIC_ONLY = ("min_note_duration", "max_note_duration", "min_polyphony", "max_polyphony", "register")


@dataclass
class PromptOptions:
    """A prompt beside the options given with it."""

    understood: Understood | None
    instruments: list[str]
    drums: bool
    overruled: list[str] = field(default_factory=list)  # one sentence for each word that gave way

    @classmethod
    def of(cls, prompt: str | None, instruments: Sequence[str] = (), drums: bool = False) -> PromptOptions:
        """The parts of the prompt, unless some are named by options."""
        understood = read_prompt(prompt) if prompt is not None else None
        prompted = cls(understood, list(instruments), drums)
        if understood is not None and understood.parts and not (instruments or drums):
            prompted.instruments = [NAMES[part.program] for part in understood.parts if part.program is not None]
            prompted.drums = any(part.program is None for part in understood.parts)
        elif understood is not None and understood.named:
            prompted.overruled.append("--instrument and --drums win over the parts of --prompt")
        return prompted

    def over(self, option: str, value: Any, name: str) -> Any:
        """The value of an option where it is given, else what the prompt says."""
        said = getattr(self.understood, name, None)
        if value is None:
            return said
        if said is not None and said != value:
            self.overruled.append(f"{option} {value} wins over {name} {said} of --prompt")
        return value

    def beside(self, music: Music) -> None:
        """Note which words give way to musical controls that are given."""
        heard = self.understood
        if heard is None:
            return
        asked = {**heard.feels, **{aspect: value for part in heard.parts for aspect, value in part.feels.items()}}
        registers = asked.pop("register", None)
        rows: list[tuple[str, Sequence[str], str, Any]] = [
            ("--scale", music.scale, "scale", heard.scale),
            ("--pitch-set", music.pitch_set, "scale", heard.scale),
            ("--grid", music.grid, "grid", heard.grid),
            ("--pitch-range", music.pitch_range, "register", registers),
        ]
        rows += [
            ("--attribute", [text for text in music.attribute if attribute_in(text) == aspect], aspect, value)
            for aspect, value in asked.items()
        ]
        for option, given, name, said in rows:
            if given and said is not None:
                self.overruled.append(f"{option} {', '.join(given)} wins over {name} {said} of --prompt")

    def leave_out(self, *names: str) -> None:
        """Note that the song decides what the prompt says of these."""
        for name in names:
            said = getattr(self.understood, name, None)
            if said is not None:
                shown = f"{said:g}" if isinstance(said, float) else said
                self.overruled.append(f"{name} {shown} of --prompt is not used: it is the song's own")

    def lines(self) -> list[str]:
        """What is told to people."""
        return [*self.understood.lines(), *self.overruled] if self.understood else []

    def to_dict(self) -> dict[str, Any] | None:
        """The JSON form; None without a prompt."""
        return {**self.understood.to_dict(), "overruled": self.overruled} if self.understood else None


def report_prompt(prompted: PromptOptions, reporting: Reporting) -> dict[str, Any] | None:
    """What was understood, said on standard error and, for --json, as a dict."""
    in_report = reporting.as_json and not reporting.json_lines
    if not (reporting.quiet or in_report):
        for line in prompted.lines():
            typer.echo(line, err=True)
    return prompted.to_dict()


def with_words(music: Music, score: Score, targets: Sequence[int], known: Collection[str]) -> Music:
    """Musical controls joined by those the prompt asks of the tracks to be written; controls given win.

    `known` are the names of the attributes the model has: the key is one of them, perhaps.
    """
    if music.prompt is None:
        return music
    understood = read_prompt(music.prompt)
    tracks = {number: score.tracks[number] for number in targets}
    melodic = any(track.track_type != DRUM for track in tracks.values())
    feels = {number: dict(understood.feels) for number in targets}
    for part in understood.parts:
        for number in _meant(part, tracks):
            feels[number] |= part.feels
    given = {attribute_in(text) for text in music.attribute}
    told = [(n, aspect, value) for n, mine in feels.items() for aspect, value in _fitting(mine, tracks[n])]
    added = [f"{n + 1}/{aspect}={value}" for n, aspect, value in told if aspect != "register" and aspect not in given]
    ranges = [f"{n + 1}/{_range(value, tracks[n])}" for n, aspect, value in told if aspect == "register"]
    keyed = bool(music.scale or music.pitch_set)
    if understood.scale and melodic and not keyed and KEY in known and KEY not in given:
        added += _key(understood.scale)
    return replace(
        music,
        prompt=None,
        attribute=[*added, *music.attribute],
        pitch_range=music.pitch_range or ranges,
        scale=[understood.scale] if understood.scale and melodic and not keyed else music.scale,
        grid=[understood.grid] if understood.grid and not music.grid else music.grid,
    )


def attribute_in(text: str) -> str:
    """The name in [TRACK/][BARS:]NAME=LEVEL."""
    return text.rpartition("/")[2].rpartition(":")[2].partition("=")[0]


def tracks_named(prompt: str | None, score: Score) -> tuple[int, ...]:
    """The tracks of a song that the prompt names by instrument. Raises RequestValidationError for one not there."""
    understood = read_prompt(prompt) if prompt is not None else None
    if understood is None or not understood.named:
        return ()
    tracks = dict(enumerate(score.tracks))
    missing = next((part.word for part in understood.parts if not _meant(part, tracks)), None)
    if missing is not None:
        raise refused("--prompt", missing, "is played by no track of this song", "say which with --track")
    return tuple(sorted({number for part in understood.parts for number in _meant(part, tracks)}))


def _meant(part: PromptPart, tracks: Mapping[int, Track]) -> list[int]:
    """The tracks that play this part: its instrument, else one of its family."""
    if part.program is None:
        return [number for number, track in tracks.items() if track.track_type == DRUM]
    melodic = {number: track for number, track in tracks.items() if track.track_type != DRUM}
    exact = [number for number, track in melodic.items() if track.instrument == part.program]
    return exact or [number for number, track in melodic.items() if track.instrument // 8 == part.program // 8]


def _key(scale: str) -> list[str]:
    """The key of a scale as an attribute, where it is a major or minor one."""
    root, _, name = scale.partition(":")
    tonic = PITCH_CLASSES[pitch_class(root, "--prompt")]
    return [f"{KEY}={tonic} {name}"] if name in ("major", "minor") else []


def _fitting(feels: Mapping[str, str], track: Track) -> Iterator[tuple[str, str]]:
    drums = track.track_type == DRUM
    return ((aspect, value) for aspect, value in feels.items() if not (drums and aspect in MELODIC_ONLY))


def _range(register: str, track: Track) -> str:
    low, other = REGISTERS[register]
    return low if track.instrument in BASSES else other
