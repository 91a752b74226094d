"""Controls with values of wrong types, and what is said of them at every door."""

from __future__ import annotations

from typing import Any

# (control, value of a wrong type or out of range, what is said of it)
WRONG_CONTROLS: tuple[tuple[str, Any, str], ...] = (
    ("time_signature", [4, 4], " = [4, 4] is not a time signature of this checkpoint"),
    ("pitch_mask", "C:major", " = 'C:major' is not an object"),
    ("pitch_mask", {"pitches": 60}, ".pitches = 60 is not a list of integers"),
    ("pitch_mask", {"pitches": [60.5]}, ".pitches = [60.5] is not a list of integers"),
    ("pitch_mask", {"pitches": [128]}, ".pitches[0] = 128 is too large; use 0 to 127"),
    ("pitch_mask", {"scale": 3}, ".scale = 3 is not a string"),
    ("pitch_mask", {"scale": "major", "root": True}, ".root = True is not an integer"),
    ("pitch_mask", {"range": None}, ".range is not a list of integers"),
    ("pitch_mask", {"shape": "normal"}, ".shape = 'normal' is not an object"),
    ("pitch_mask", {"shape": None}, ".shape is not an object"),
    ("pitch_mask", {"shape": {"type": 1}}, ".shape.type = 1 is not a string"),
    ("pitch_mask", {"shape": {"mean": 60}}, ".shape.type is missing"),
    ("pitch_mask", {"shape": {"type": "normal", "mean": True}}, ".shape.mean = True is not a number"),
    ("rhythm_mask", [0, 6], " = [0, 6] is not an object"),
    ("rhythm_mask", {"positions": {}}, ".positions = {} is not a list of objects"),
    ("rhythm_mask", {"positions": [0]}, ".positions[0] = 0 is not an object"),
    ("rhythm_mask", {"positions": [{"pos": "0"}]}, ".positions[0].pos = '0' is not an integer"),
    ("rhythm_mask", {"positions": [{"polyphony": 1}]}, ".positions[0].pos is missing"),
    ("rhythm_mask", {"positions": [{"pos": 1000}]}, ".positions = 1000 is too large a position"),
    ("rhythm_mask", {"grid": "eighth"}, ".grid = 'eighth' is not an object"),
    ("rhythm_mask", {"grid": {"unit": 8}}, ".grid.unit = 8 is not a string"),
    ("rhythm_mask", {"grid": {"unit": "eighth", "strength": True}}, ".grid.strength = True is not a number"),
    ("rhythm_lock", 1, " = 1 is not true, false or 'onsets'"),
    ("rhythm_from", 1, " = 1 is not an object"),
    ("rhythm_from", {"track": "1"}, ".track = '1' is not an integer"),
    ("rhythm_from", {"track": 1, "part": ["kick"]}, ".part = ['kick'] is not a string"),
    ("rhythm_from", {"track": 1, "every": 1}, ".every = 1 is not true or false"),
    ("fill", True, " = True is not a number or 'end'"),
    ("fill", 0, " = 0 is too small; use above 0, at most 16"),
    ("swing", "0.5", " = '0.5' is not a number"),
    ("syncopation", "some", " = 'some' is not a number, 'more' or 'less'"),
    ("remix", 0.3, " = 0.3 is not an object"),
    ("remix", {"amount": "0.3"}, ".amount = '0.3' is not a number"),
    ("remix", {"amount": 0.3, "mode": 1}, ".mode = 1 is not a string"),
    ("chords", ["Am"], " = ['Am'] is not a string"),
    ("chord_strength", "strong", " = 'strong' is not a number"),
    ("velocity", 90, " = 90 is not an object"),
    ("velocity", "loud", " = 'loud' is not known; use 'own'"),
    ("velocity", {"low": 40}, ".high is missing"),
    ("velocity", {"low": 40, "high": "90"}, ".high = '90' is not an integer"),
    ("humanise", True, " = True is not a number"),
    ("motion", [0.5], " = [0.5] is not an object"),
    ("motion", {"steps": "half"}, ".steps = 'half' is not a number"),
    ("contour", 1, " = 1 is not a string"),
    ("contour", "wavy", " = 'wavy' is not known; known: arch, dip, down, up"),
    ("keep_range", 1, " = 1 is not true or false"),
    ("keep_contour", "yes", " = 'yes' is not true or false"),
    ("density_hard_limit", "4", " = '4' is not an integer"),
    ("polyphony_hard_limit", 1.5, " = 1.5 is not an integer"),
    ("no_repeat_ngram", None, " is not an integer"),
)


def track_of(control: str) -> int:
    """The track of the song in `tiny` that a control is tried on: drums for a fill."""
    return 0 if control == "fill" else 2
