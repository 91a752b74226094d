"""The chord names that a file has among its markers, texts, cue points or lyrics, as lead sheets do."""

from __future__ import annotations

from midigpt_core.chords import Chord, chord_of
from midigpt_core.midi_file.bars import bar_of
from midigpt_core.midi_file.events import META, meta_data
from midigpt_core.midi_file.text import decode_text
from midigpt_core.score import Score

KINDS = (0x06, 0x01, 0x07, 0x05)  # marker, text, cue point, lyric
LEAST = 2  # chords that say something of a song
CERTAIN = 0.75  # share of the texts of a kind that are chords: the words of a song are not


def named_chords(score: Score) -> list[tuple[int, float, Chord]]:
    """(bar from 0, quarter note of it, chord) of the kind of text that names most of them, in order of time."""
    source = score.source
    if source is None:
        return []
    texts: dict[int, list[tuple[int, str]]] = {kind: [] for kind in KINDS}
    for index, body in enumerate(source.layout.tracks):
        for tick, event in source.read_track(index).events if any(bytes((META, k)) in body for k in KINDS) else ():
            if event[0] == META and event[1] in texts:
                texts[event[1]].append((tick, decode_text(meta_data(event)).strip().strip("[]")))
    best: list[tuple[int, Chord]] = []
    for found in texts.values():
        words = sorted((tick, text) for tick, text in found if text)
        chords = [(tick, chord) for tick, text in words if (chord := chord_of(text)) is not None]
        if len(chords) >= max(LEAST, len(best) + 1) and len(chords) >= CERTAIN * len(words):
            best = chords
    lines, late = [span.start for span in source.bars(score.n_bars)], source.division // 8
    places = [(bar_of(lines, tick + late), tick, chord) for tick, chord in best]
    return [(bar, max(0.0, (tick - lines[bar]) / source.division), chord) for bar, tick, chord in places]
