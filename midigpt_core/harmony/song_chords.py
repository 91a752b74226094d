"""The chords of a song in the words of a request: those that it sounds, those that its file names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from midigpt_core.constraints.chord_controls import FILE, HEARD
from midigpt_core.fields import refused
from midigpt_core.harmony.chord_recognition import Heard, heard_chords
from midigpt_core.midi_file.chord_names import named_chords
from midigpt_core.request import GenerationRequest, TrackPrompt
from midigpt_core.score import Score


def written_chords(score: Score) -> tuple[Heard, ...]:
    """The chords that the file names in markers, texts or lyrics, else those of its chord track; each with
    confidence 1 where it is named."""
    named = tuple(Heard(bar, quarter, chord.name, 1.0) for bar, quarter, chord in named_chords(score))
    if named:
        return named
    tracks = [number for number, track in enumerate(score.tracks) if track.name.strip().lower() in ("chords", "chord")]
    return heard_chords(score, tracks) if tracks else ()


def by_bar(chords: Sequence[Heard], n_bars: int, lasting: bool = False) -> dict[int, str]:
    """The chords of each bar as a request has them; `lasting`: a chord sounds on until the next."""
    found: dict[int, list[Heard]] = {}
    for chord in chords:
        found.setdefault(chord.bar, []).append(chord)
    told, last = {}, ""
    for bar in range(n_bars):
        here = found.get(bar, [])
        words = [f"{chord.name}@{chord.quarter + 1:g}" for chord in here]
        if lasting and last and (not here or here[0].quarter > 0):
            words.insert(0, f"{last}@1")
        last = here[-1].name if here else last
        if words:
            told[bar] = words[0].removesuffix("@1") if len(words) == 1 else ",".join(words)
    return told


def with_chords(request: GenerationRequest, score: Score) -> GenerationRequest:
    """The request with names in place of "heard" and "file". Raises RequestValidationError where there are none."""
    words = {values.get("chords") for prompt in request.tracks for values in _all(prompt)} & {HEARD, FILE}
    if not words:
        return request
    known: dict[str, Mapping[int, str]] = {}
    if HEARD in words:
        known[HEARD] = by_bar(heard_chords(score), score.n_bars)
    if FILE in words:
        known[FILE] = by_bar(written_chords(score), score.n_bars, lasting=True)
    for word, found in known.items():
        if not found:
            why = "finds no chord in the song" if word == HEARD else "finds no chord names in the file"
            raise refused("controls.chords", word, why, "name the chords: Am, F, ...")
    return replace(request, tracks=[_with_names(prompt, known) for prompt in request.tracks])


def _all(prompt: TrackPrompt) -> list[Mapping[str, object]]:
    return [prompt.controls, *prompt.bar_controls.values()]


def _with_names(prompt: TrackPrompt, known: Mapping[str, Mapping[int, str]]) -> TrackPrompt:
    whole = {name: value for name, value in prompt.controls.items() if name != "chords" or value not in known}
    bars = {bar: dict(values) for bar, values in prompt.bar_controls.items()}
    for bar in prompt.bars:
        word = str(prompt.controls_in(bar).get("chords"))
        if word in known:
            bars.setdefault(bar, {}).pop("chords", None)
            if bar in known[word]:
                bars[bar]["chords"] = known[word][bar]
    return replace(prompt, controls=whole, bar_controls={bar: values for bar, values in bars.items() if values})
