"""`midigpt plan`: which steps would write the bars, what each sees, what is hidden, and how long it is."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midigpt_cli.options.dataclass_options import OUTPUT, PLAN, command_of
from midigpt_cli.options.shared_options import AsJson
from midigpt_cli.output.chord_list import chord_facts, chord_line
from midigpt_cli.parse.selectors import (
    MOST_NAMED,
    describe_bars,
    describe_track,
    describe_tracks,
)
from midigpt_cli.parse.song_reading import Reading
from midigpt_cli.parse.what_to_write import WhatToWrite
from midigpt_core.score import Score

if TYPE_CHECKING:
    from midigpt_core.generation.request_plan import StepEstimate
    from midigpt_core.request import GenerationRequest
    from midigpt_core.tokens.encoder_config import EncoderConfig

COUNTED_FROM = 1  # bars and tracks, wherever this command shows a number


@dataclass(frozen=True, kw_only=True)
class ShowPlan:
    """What is to be planned."""

    song: Annotated[str, typer.Argument(metavar="SONG", help="A MIDI file; - reads standard input.")]
    what: WhatToWrite
    autoregressive: Annotated[
        bool,
        typer.Option(
            "--autoregressive", help="Continue from left to right instead of filling in.", rich_help_panel=PLAN
        ),
    ] = False
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Encoder configuration of a model (JSON).",
            show_default="the built-in one",
            rich_help_panel=PLAN,
        ),
    ] = None
    context_tokens: Annotated[
        int, typer.Option(help="Context length of the model, in tokens.", min=64, rich_help_panel=PLAN)
    ] = 2048
    as_json: AsJson = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No piano rolls.", rich_help_panel=OUTPUT)] = False


@command_of(ShowPlan)
def plan(options: ShowPlan) -> None:
    """Show how bars would be written: steps, windows, context, hidden bars, tokens.

    midigpt plan song.mid --bars 4-8 --track drums

    Takes the options of midigpt infill that say what is written, and loads no model.
    """
    from midigpt_core.attributes.attribute_table import AttributeTable
    from midigpt_core.tokens.encoder_config import EncoderConfig

    options.what.check()
    encoder = EncoderConfig.load(options.encoder or _built_in())
    score = options.what.prepared(_read(options.song, options.what.reading))
    request = options.what.request(score, AttributeTable.from_config(encoder), options.autoregressive)
    steps = step_estimates(encoder, options.context_tokens, score, request)
    facts = plan_facts(options.song, score, steps, options.context_tokens)
    lines = plan_lines(facts, steps, score, pictures=not options.quiet)
    typer.echo(json.dumps(facts, indent=2) if options.as_json else "\n".join(lines))


def step_estimates(encoder: EncoderConfig, room: int, score: Score, request: GenerationRequest) -> list[StepEstimate]:
    """Every step, for a model that can hold `room` tokens. Raises RequestValidationError as a run would."""
    from midigpt_core.generation.request_checks import check_request
    from midigpt_core.generation.request_plan import estimates, plan
    from midigpt_core.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer(encoder)
    check_request(request, score, tokenizer.config, tokenizer.attributes)
    return estimates(plan(request, score, tokenizer, room), request, score, tokenizer, room)


def plan_facts(song: str, score: Score, steps: list[StepEstimate], room: int) -> dict[str, Any]:
    """The plan as one JSON object; `room` is how many tokens the model can hold."""
    return {
        "song": song,
        "counted_from": COUNTED_FROM,
        "bars": score.n_bars,
        "tracks": [describe_track(number, score) for number in range(len(score.tracks))],
        "context_tokens": room,
        "chords": chord_facts(score, {bar for item in steps for _, bar in item.step.cells}),
        "steps": [_step_facts(number, item, score) for number, item in enumerate(steps, 1)],
    }


def _read(song: str, reading: Reading) -> Score:
    from midigpt_cli.output.destination import read_song

    return read_song(song, reading)


def _built_in() -> Any:
    from importlib.resources import files

    return files("midigpt_core.tokens") / "open_encoder.json"


# ---- the facts, for --json ----


def _step_facts(number: int, item: StepEstimate, score: Score) -> dict[str, Any]:
    step = item.step
    return {
        "step": number,
        "mode": "autoregressive" if step.autoregressive else "infill",
        "window": [step.start_bar + 1, step.end_bar],
        "window_bars": step.n_bars,
        "writes": _cells(step.cells),
        "hidden": _cells(step.pending),
        "hears": _cells(_heard(item, score)),
        "left_out": [track + 1 for track in item.dropped],
        "prompt_tokens": item.prompt_tokens,
        "expected_tokens": item.expected_tokens,
        "fits": item.fits,
    }


def _cells(cells: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"track": track + 1, "bars": [bar + 1 for bar in bars]} for track, bars in _by_track(cells).items()]


def _by_track(cells: Iterable[tuple[int, int]]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    for track, bar in sorted(cells):
        found.setdefault(track, []).append(bar)
    return found


def _heard(item: StepEstimate, score: Score) -> set[tuple[int, int]]:
    """The cells of the window whose notes the model gets to see; of a track it continues, those before."""
    step = item.step
    heard = set()
    for number, track in enumerate(score.tracks):
        if number in item.dropped:
            continue
        end = min(step.end_bar, len(track.bars))
        written = [bar for owner, bar in step.cells if owner == number]
        if step.autoregressive and written:
            end = min(written)
        heard |= {(number, bar) for bar in range(step.start_bar, end) if track.bars[bar].n_notes}
    return heard - step.cells - step.pending


# ---- the words and the picture, for people ----


def plan_lines(
    facts: Mapping[str, Any], steps: list[StepEstimate], score: Score, pictures: bool = True
) -> Iterable[str]:
    """The plan in words, with a picture of each step."""
    count = len(steps)
    yield f"{facts['song']}: {len(score.tracks)} tracks, {score.n_bars} bars, counted from {COUNTED_FROM}."
    yield f"{count} step{'s' if count != 1 else ''}; each later step hears what the earlier ones wrote."
    if facts["chords"]:
        yield f"chords heard: {chord_line(facts['chords'])}"
    for number, item in enumerate(steps, 1):
        yield ""
        yield from _step_lines(number, item, score, facts["context_tokens"])
        yield from _picture(item, score) if pictures else ()
    if pictures:
        yield ""
        yield "W written   # heard   h hidden   . silent   x left out"


def _step_lines(number: int, item: StepEstimate, score: Score, room: int) -> Iterable[str]:
    step = item.step
    window = describe_bars(range(step.start_bar, step.end_bar))
    padded = step.n_bars - (step.end_bar - step.start_bar)
    filled_up = f" and {padded} empty ones after them" if padded else ""
    mode = "continues" if step.autoregressive else "fills in"
    yield f"step {number} {mode} {_named(step.cells, score)}"
    yield f"  sees bars {window}{filled_up}; reads {item.prompt_tokens} tokens, writes about {item.expected_tokens}"
    if step.pending:
        yield f"  hidden, as a later step writes them: {_named(step.pending, score)}"
    if item.dropped:
        few = "track " if len(item.dropped) <= MOST_NAMED else ""
        yield f"  left out to make room: {few}{describe_tracks(item.dropped, score)}"
    if not item.fits:
        yield f"  does not fit {room} tokens: ask for a smaller --window or fewer --bars-per-step"


def _picture(item: StepEstimate, score: Score) -> Iterable[str]:
    step, heard = item.step, _heard(item, score)
    left_out = item.dropped if len(item.dropped) > MOST_NAMED else ()
    for track in sorted(set(range(len(score.tracks))) - set(left_out)):
        row = "".join(_mark(item, heard, (track, bar)) for bar in range(step.start_bar, step.end_bar))
        yield f"  {row}  {describe_track(track, score)}"
    if left_out:
        yield f"  {'x' * (step.end_bar - step.start_bar)}  {describe_tracks(left_out, score)}"


def _mark(item: StepEstimate, heard: set[tuple[int, int]], cell: tuple[int, int]) -> str:
    marks = (("W", item.step.cells), ("h", item.step.pending), ("#", heard))
    if cell[0] in item.dropped:
        return "x"
    return next((mark for mark, cells in marks if cell in cells), ".")


def _named(cells: Collection[tuple[int, int]], score: Score) -> str:
    rows = [f"bars {describe_bars(b)} of track {describe_track(t, score)}" for t, b in _by_track(cells).items()]
    if len(rows) > MOST_NAMED:
        return f"{len(set(cells))} bars on {len(rows)} of {len(score.tracks)} tracks"
    return "; ".join(row.replace("bars ", "bar ", 1) if row[5:].split(" of ")[0].isdecimal() else row for row in rows)
