"""`midigpt loop`: variations of a few bars that loop without a seam and may follow one another in any order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli import completion
from midigpt_cli.groups import Context, ModelChoice, Music, Output, Talk
from midigpt_cli.options import OUTPUT, Settings, command_of
from midigpt_cli.selectors import BARS_HELP, TRACK_HELP
from midigpt_core.request import refused

if TYPE_CHECKING:
    from midigpt_cli.destination import Destination
    from midigpt_core.attributes.table import AttributeTable
    from midigpt_core.loop import LoopRequest, Variation
    from midigpt_core.score import Score

USUAL_BARS = 4
FORMATS = ("mid", "wav", "mp3", "flac", "ogg")


@dataclass(frozen=True)
class Loop:
    """Everything `loop` may be told."""

    music: Music
    context: Context
    settings: Settings  # type: ignore[valid-type]
    model: ModelChoice
    output: Output
    talk: Talk
    song: Annotated[
        str | None, typer.Argument(metavar="[SONG]", help="A MIDI file; - reads standard input; none: from nothing.")
    ] = None
    bars: Annotated[str | None, typer.Option("--bars", "-b", help=BARS_HELP + " From nothing: how many.")] = None
    track: Annotated[
        list[str],
        typer.Option(
            "--track",
            "-t",
            help=TRACK_HELP,
            show_default="every track that sounds there",
            autocompletion=completion.tracks,
        ),
    ] = field(default_factory=list)
    variations: Annotated[int, typer.Option("--variations", "-v", help="How many.", min=1, max=20)] = 4
    bpm: Annotated[
        float | None,
        typer.Option(help="Quarter notes per minute.", min=40, max=300, show_default="the song's there, or 120"),
    ] = None
    seam: Annotated[
        str, typer.Option(help="Notes over the seam: cut ends them, wrap lets them sound on at the beginning.")
    ] = "cut"
    solo: Annotated[bool, typer.Option("--solo", help="Write only the tracks that were written anew.")] = False
    instrument: Annotated[
        list[str],
        typer.Option(
            "--instrument",
            "-i",
            help="From nothing: a track for this instrument; may be given again.",
            autocompletion=completion.instruments,
        ),
    ] = field(default_factory=list)
    drums: Annotated[bool, typer.Option("--drums", help="From nothing: a drum track.")] = False
    metre: Annotated[str, typer.Option("--metre", "--meter", help="From nothing: time signature.")] = "4/4"
    format: Annotated[str, typer.Option(help="mid, wav, mp3, flac or ogg.", rich_help_panel=OUTPUT)] = "mid"
    soundfont: Annotated[
        Path | None, typer.Option(help="SoundFont for audio.", rich_help_panel=OUTPUT, show_default="one that is found")
    ] = None


@command_of(Loop)
def loop(asked: Loop) -> None:
    """Write variations that loop seamlessly, all equally long; any may follow any.

    midigpt loop song.mid --bars 1-4 --track bass --variations 4
    """
    from midigpt_cli.destination import Destination
    from midigpt_cli.loading import Model
    from midigpt_cli.progress import following
    from midigpt_core.loop import loop as run_loop

    _check(asked)
    destination = Destination(asked.output, "loop", 1, asked.variations)
    name = asked.song or "new"
    if not asked.talk.dry_run and asked.format == "mid":
        destination.check_free(name)
    model = Model(asked.model)
    score = _song(asked)
    wish = _wish(asked, score, model.controls)
    if asked.talk.dry_run:
        typer.echo(f"{name}: {wish.variations} variations of {wish.end - wish.first} bars, seam {wish.seam}")
        return
    reports = []
    with following(name, asked.talk) as listener:
        for variation in run_loop(model.engine, score, wish, listener):
            reports.append(_deliver(asked, destination, name, variation, wish))
    if asked.talk.as_json:
        told = {"song": name, "bars": [wish.first + 1, wish.end], "variations": reports, "model": model.facts()}
        typer.echo(json.dumps(told))


def _check(asked: Loop) -> None:
    if asked.format not in FORMATS:
        raise refused("--format", asked.format, "is not known", f"use {', '.join(FORMATS)}")
    if asked.song is None and not (asked.instrument or asked.drums):
        raise refused("SONG", None, "is missing", "name a song, or --instrument and --drums to loop from nothing")
    if asked.song and (asked.instrument or asked.drums):
        raise refused("--instrument", None, "is for loops from nothing", "choose tracks of the song with --track")
    if asked.output.output == "-" and asked.format != "mid":
        raise refused("--format", asked.format, "goes into files", "leave out -o -")
    if asked.song is None and asked.output.output is None:
        raise refused("--output", None, "is missing", "name the file or folder to write: -o loops/")


def _song(asked: Loop) -> Score:
    from midigpt_cli.destination import read_song

    if asked.song is not None:
        return read_song(asked.song)
    from midigpt_cli.commands.generate import new_score

    count = int(asked.bars) if asked.bars and asked.bars.isdecimal() else USUAL_BARS
    return new_score(asked.instrument, asked.drums, asked.bpm or 120.0, asked.metre, count)


def _wish(asked: Loop, score: Score, table: AttributeTable) -> LoopRequest:
    from midigpt_cli.selectors import select_bars, select_tracks
    from midigpt_cli.wishes import Wishes, build_request
    from midigpt_core.loop import LoopRequest
    from midigpt_core.midi_file.excerpt import excerpt

    bars = select_bars(asked.bars, score.n_bars) if asked.song and asked.bars else tuple(range(score.n_bars))
    if asked.song and not asked.bars:
        bars = bars[:USUAL_BARS]
    first, end = min(bars), max(bars) + 1
    if end - first != len(bars):
        raise refused("--bars", asked.bars, "are not one run of bars", "name a run such as 1-4")
    if (end - first) & (end - first - 1):
        typer.echo(f"midigpt: {end - first} bars are no power of two; most loops are 1, 2, 4 or 8 long", err=True)
    part = excerpt(score, first, end)
    tracks = select_tracks(asked.track or ["all"], part if asked.song and not asked.track else score)
    written = {number: range(end - first) for number in tracks}
    request = build_request(Wishes(written, asked.music, asked.context, asked.settings), part, table)
    return LoopRequest(
        first,
        end,
        tuple(tracks),
        asked.variations,
        asked.seam,
        asked.bpm,
        request.config,
        {prompt.id: prompt for prompt in request.tracks},
    )


def _deliver(
    asked: Loop, destination: Destination, name: str, variation: Variation, wish: LoopRequest
) -> dict[str, Any]:
    """Write one variation as soon as it is there; what is reported of it."""
    from midigpt_cli.destination import Written

    score = variation.score
    if asked.solo:
        score = replace(score, source=None, tracks=[score.tracks[t] for t in wish.tracks])
    if asked.format == "mid":
        [path] = destination.write(name, [Written(score, variation.number, variation.number, variation.seed)])
    else:
        path = _write_audio(asked, destination, name, replace(variation, score=score))
    if not asked.talk.quiet and not asked.talk.as_json:
        told = f"{path}: variation {variation.number}, seed {variation.seed}, seam {variation.seam:.2f} per token"
        typer.echo(told if variation.accepted else f"{told} (checks failed: {variation.rejected[-1]})", err=True)
    return {
        "path": path,
        "number": variation.number,
        "seed": variation.seed,
        "logprob": variation.logprob,
        "seam": variation.seam,
        "accepted": variation.accepted,
        "rejected": list(variation.rejected),
    }


def _write_audio(asked: Loop, destination: Destination, name: str, variation: Variation) -> str:
    """Audio exactly as long as the loop, its tail wrapped into its beginning."""
    from midigpt_cli.destination import Written
    from midigpt_core.audio.files import write_audio
    from midigpt_core.audio.synthesis import synthesise
    from midigpt_core.midi_file import score_to_bytes

    written = Written(variation.score, variation.number, variation.number, variation.seed)
    path = destination.path_of(name, written).with_suffix(f".{asked.format}")
    if path.exists() and not asked.output.force:
        raise refused("--output", str(path), "exists", "add --force to overwrite it, or choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = score_to_bytes(variation.score)
    seconds = _seconds(data)
    wave = synthesise(data, length_seconds=seconds, wrap_tail=True, soundfont=asked.soundfont)
    write_audio(wave, path, 44_100)
    return str(path)


def _seconds(data: bytes) -> float:
    """How long a .mid file plays, to its last tick."""
    import io

    import mido

    midi = mido.MidiFile(file=io.BytesIO(data))
    end = max(sum(message.time for message in track) for track in midi.tracks)
    changes = sorted((tick, tempo) for track in midi.tracks for tick, tempo in _tempi(track))
    seconds, position, tempo = 0.0, 0, 500_000
    for tick, next_tempo in [*changes, (end, 0)]:
        seconds += (tick - position) * tempo / midi.ticks_per_beat / 1e6
        position, tempo = tick, next_tempo
    return seconds


def _tempi(track: Any) -> list[tuple[int, int]]:
    tick, found = 0, []
    for message in track:
        tick += message.time
        if message.type == "set_tempo":
            found.append((tick, message.tempo))
    return found
