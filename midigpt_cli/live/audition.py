"""Listen to versions of the same bars, switch between them in place, and keep one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from midigpt_cli.live.keys import LiveKeys, live_keys

if TYPE_CHECKING:
    from midigpt_cli.live.sound import Device
    from midigpt_core.audio.synthesis import Wave
    from midigpt_core.score import Score

RATE = 44_100
LOOK_SECONDS = 0.03
KEYS = "space pauses, {numbers} plays a version from the same place, Enter keeps the one that plays, q leaves"
KEYS_OF_ONE = "space pauses, q leaves"


@dataclass(frozen=True)
class Version:
    """One version: the key it is called by, what it is, and how it sounds."""

    key: str
    name: str
    wave: Wave


class Audition:
    """What plays, and where in it; told about keys and asked now and then to look at the clock."""

    def __init__(
        self, versions: Sequence[Version], device: Device, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.versions, self.device, self.clock = {version.key: version for version in versions}, device, clock
        self.now = versions[0]
        self.kept: Version | None = None
        self.over = False
        self._place = 0.0  # seconds into the sound at which it was last begun or paused
        self._begun: float | None = None  # when; None: paused

    @property
    def place(self) -> float:
        """Seconds into the sound."""
        return self._place + (self.clock() - self._begun if self._begun is not None else 0.0)

    @property
    def ended(self) -> bool:
        """Whether it has come to the end of the sound."""
        return self.place * RATE >= len(self.now.wave)

    def play(self, place: float) -> None:
        """Begin at this second."""
        first = max(0, min(round(place * RATE), len(self.now.wave) - 1))
        self._place, self._begun = first / RATE, self.clock()
        self.device.start(self.now.wave[first:], RATE)

    def pause(self) -> None:
        """Stop here."""
        self._place, self._begun = self.place, None
        self.device.stop()

    def press(self, key: str) -> None:
        """Do what a key means."""
        if key == " " and self._begun is None:
            self.play(self._place)
        elif key == " ":
            self.pause()
        elif key in self.versions:
            place = self.place
            self.now = self.versions[key]
            self.play(place)
        elif key in "\r\n" and len(self.versions) > 1:
            self.kept, self.over = self.now, True
        elif key == "q":
            self.over = True


def listen(versions: Sequence[Version], device: Device, say: Callable[[str], None] = lambda words: None) -> str | None:
    """Play, again and again while somebody is at the keys, once where nobody is; the key of the version kept."""
    heard = Audition(levelled(versions), device)
    try:
        with live_keys() as keys:
            if keys.there:
                numbers = "-".join(sorted(heard.versions)[:: max(1, len(heard.versions) - 1)])
                say(KEYS.format(numbers=numbers) if len(versions) > 1 else KEYS_OF_ONE)
            _follow(heard, keys, say, again=len(versions) > 1)
    finally:
        device.stop()
    return heard.kept.key if heard.kept else None


def levelled(versions: Sequence[Version]) -> list[Version]:
    """The same versions, all louder or softer by one factor: the loudest is as loud as a rendered file."""
    import numpy as np

    from midigpt_core.audio.levels import normalised

    ends = np.cumsum([len(version.wave) for version in versions])[:-1]
    waves = np.split(normalised(np.concatenate([version.wave for version in versions])), ends)
    return [replace(version, wave=wave) for version, wave in zip(versions, waves, strict=True)]


def _follow(heard: Audition, keys: LiveKeys, say: Callable[[str], None], again: bool) -> None:
    say(heard.now.name)
    heard.play(0.0)
    while not heard.over:
        for key in keys.pressed():
            before = heard.now
            heard.press(key)
            if heard.now is not before:
                say(heard.now.name)
        if heard.ended and not heard.over:
            if not (keys.there and again):
                return
            heard.play(0.0)
        time.sleep(LOOK_SECONDS)


def sound_of(score: Score, bars: range | None = None) -> Wave:
    """How these bars sound. Raises AudioError."""
    from midigpt_core.audio.synthesis import synthesise
    from midigpt_core.midi_file import score_to_bytes
    from midigpt_core.midi_file.excerpt import excerpt

    part = score if bars is None else excerpt(score, bars.start, bars.stop)
    return synthesise(score_to_bytes(part), RATE)


def say(words: str) -> None:
    """Tell the listener something."""
    typer.echo(words, err=True)
