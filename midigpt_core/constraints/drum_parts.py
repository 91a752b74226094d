"""The parts of a drum kit, and the notes that General MIDI gives them."""

from __future__ import annotations

from collections.abc import Mapping

DRUM_PARTS: Mapping[str, frozenset[int]] = {
    "kick": frozenset({35, 36}),
    "snare": frozenset({37, 38, 39, 40}),  # with side stick and hand clap, which play its part
    "hats": frozenset({42, 44, 46}),
    "toms": frozenset({41, 43, 45, 47, 48, 50}),
    "crash": frozenset({49, 52, 55, 57}),
    "ride": frozenset({51, 53, 59}),
}
