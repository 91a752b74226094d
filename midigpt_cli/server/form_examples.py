"""What may stand in a text field of the form: the first is shown in the empty field, all are offered."""

from __future__ import annotations

from collections.abc import Mapping

from midigpt_cli.parse.additions import DRUMS
from midigpt_cli.parse.bar_content import WHAT
from midigpt_cli.parse.instruments import NAMES
from midigpt_core.constraints.drum_parts import DRUM_PARTS
from midigpt_core.constraints.line_controls import CONTOURS
from midigpt_core.inference_config import NOVELTY_REFERENCES
from midigpt_core.music import GRIDS, PITCH_CLASSES, SCALES

EXAMPLES: Mapping[str, tuple[str, ...]] = {  # field of the form -> what may stand there
    "bars": ("4-8", "all"),
    "prompt": ("sparse funk bass", "busy drums", "walking bass in swing", "soft strings in A minor"),
    "where": tuple(WHAT),
    "remix": ("0.3", "0.1", "0.5", "0.8"),
    "rhythm_lock": ("on", "onsets"),
    "scale": tuple(f"{root}:{scale}" for scale in ("major", *SCALES) for root in PITCH_CLASSES),
    "pitch_range": ("C3-C5", "E1-G3", "C4-C6"),
    "pitch_set": ("C,Eb,G", "A,C,D,E,G"),
    "chords": ("Am F C G", "heard", "Dm7 G7 C C", "C G Am F"),
    "chord_strength": ("1.5", "0.5", "1"),
    "motion": ("steps:0.6", "leaps:0.4", "repeats:0.4"),
    "contour": tuple(CONTOURS),
    "keep_range": ("on",),
    "keep_contour": ("on",),
    "grid": ("eighth", *GRIDS),
    "rhythm_from": ("drums", *DRUM_PARTS),
    "fill": ("end", "1", "4"),
    "swing": ("0.6", "0.3", "1"),
    "syncopation": ("more", "less", "0.3"),
    "time_signature": ("4/4",),
    "velocity": ("40-90", "own"),
    "humanise": ("0.5", "0.2", "1"),
    "ignore_track": ("bass", "drums"),
    "mask_bars": ("1-2",),
    "context_drop": ("bass", "drums", "melodic"),
    "context_keep": ("bass", "drums", "melodic"),
    "no_repeat_ngram": ("4", "8"),
    "polyphony_hard_limit": ("1", "4"),
    "density_hard_limit": ("8", "16"),
    "distance": ("0.2..0.6", "0..0.3", "0.6..1"),
    "novelty_against": NOVELTY_REFERENCES,
    "drum_track": ("drums",),
    "melodic_track": ("melodic",),
    "add_track": (DRUMS, *NAMES),
}
