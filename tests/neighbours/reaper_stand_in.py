"""As much of REAPER as midigpt-REAPER calls: a project of tracks with MIDI items, at one tempo."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from typing import Any

PPQ = 960
GLOBAL, YELLOW, EXPRESSIVE, PRISM = 54964318.0, 349583025.0, 349583026.0, 349583027.0  # first slider of each panel
MASTER_FX = 0x1000000


@dataclass
class Hit:
    """One MIDI note of a take, in ticks from the item's start."""

    start: int
    end: int
    channel: int
    pitch: int
    velocity: int


@dataclass(eq=False)
class Item:
    """A media item with one MIDI take."""

    position: float  # seconds
    length: float
    notes: list[Hit] = field(default_factory=list)
    selected: bool = False


@dataclass(eq=False)
class Track:
    """A track with its items and the sliders of its panels."""

    name: str
    items: list[Item]
    panels: list[list[float]] = field(default_factory=list)


@dataclass
class Project:
    """What is open in REAPER."""

    tracks: list[Track]
    bpm: float = 120.0
    metre: tuple[int, int] = (4, 4)
    master: list[list[float]] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    @property
    def bar_seconds(self) -> float:
        return self.metre[0] * 4 / self.metre[1] * 60 / self.bpm

    @property
    def seconds(self) -> float:
        return max(item.position + item.length for track in self.tracks for item in track.items)

    def calls(self) -> dict[str, Any]:
        """The functions by the names REAPER gives them."""
        return {
            **self._of_time(),
            **self._of_tracks(),
            **self._of_notes(),
            "RPR_ShowConsoleMsg": self.console.append,
            "RPR_ClearConsole": lambda: None,
            "RPR_Undo_OnStateChange": lambda what: self.console.append(f"undo: {what}"),
        }

    def _of_time(self) -> dict[str, Any]:
        def measure(proj: Any, number: int, *_: Any) -> tuple[Any, ...]:
            quarters = self.metre[0] * 4 / self.metre[1]
            at = number * quarters
            return (number * self.bar_seconds, proj, number, at, at + quarters, *self.metre, self.bpm)

        def measures(proj: Any, quarter: float, *_: Any) -> tuple[Any, ...]:
            quarters = self.metre[0] * 4 / self.metre[1]
            return (int(quarter / quarters + 1e-9) + 1, proj, quarter, 0.0, 0.0)

        return {
            "RPR_TimeMap_GetMeasureInfo": measure,
            "RPR_TimeMap_QNToMeasures": measures,
            "RPR_TimeMap2_timeToQN": lambda proj, seconds: seconds * self.bpm / 60,
            "RPR_GetSet_LoopTimeRange": lambda *_: (0, 0, 0.0, 0.0, 0),
            "RPR_CountTempoTimeSigMarkers": lambda proj: 1,
            "RPR_GetTempoTimeSigMarker": lambda *_: (True, 0.0, 0, 0.0, self.bpm, *self.metre, False),
            "RPR_GetProjectLength": lambda proj: self.seconds,
        }

    def _of_tracks(self) -> dict[str, Any]:
        def param(track: Any, place: int, number: int, *_: Any) -> tuple[float]:
            panels = self.master if place >= MASTER_FX else track.panels
            return (panels[place % MASTER_FX][number],)

        values = {"D_POSITION": lambda item: item.position, "D_LENGTH": lambda item: item.length}
        return {
            "RPR_CountTracks": lambda proj: len(self.tracks),
            "RPR_GetTrack": lambda proj, number: self.tracks[number],
            "RPR_GetTrackState": lambda track, flags: (track.name, track, flags),
            "RPR_GetMasterTrack": lambda proj: self,
            "RPR_TrackFX_GetEnabled": lambda track, place: place % MASTER_FX < len(self.master),
            "RPR_TrackFX_GetCount": lambda track: len(track.panels),
            "RPR_TrackFX_GetParam": param,
            "RPR_CountTrackMediaItems": lambda track: len(track.items),
            "RPR_GetTrackMediaItem": lambda track, number: track.items[number],
            "RPR_IsMediaItemSelected": lambda item: item.selected,
            "RPR_GetMediaItemInfo_Value": lambda item, name: values[name](item),
        }

    def _of_notes(self) -> dict[str, Any]:
        def note(item: Item, number: int, *_: Any) -> tuple[Any, ...]:
            hit = item.notes[number]
            return (True, item, number, False, False, hit.start, hit.end, hit.channel, hit.pitch, hit.velocity)

        def insert(item: Item, selected: bool, muted: bool, *rest: Any) -> bool:
            item.notes.append(Hit(*rest[:5]))
            return True

        per_second = PPQ * self.bpm / 60
        return {
            "RPR_GetActiveTake": lambda item: item,  # an item is its own only take
            "RPR_GetMediaItemTake_Item": lambda take: take,
            "RPR_GetMediaItemTakeInfo_Value": lambda take, name: 0.0,
            "RPR_TakeIsMIDI": lambda take: True,
            "RPR_MIDI_CountEvts": lambda take, *_: (len(take.notes), take, len(take.notes), 0, 0),
            "RPR_MIDI_GetNote": note,
            "RPR_MIDI_DeleteNote": lambda take, number: take.notes.pop(number),
            "RPR_MIDI_InsertNote": insert,
            "RPR_MIDI_Sort": lambda take: take.notes.sort(key=lambda hit: (hit.start, hit.pitch)),
            "RPR_MIDI_GetProjTimeFromPPQPos": lambda take, ticks: take.position + ticks / per_second,
            "RPR_MIDI_GetPPQPosFromProjTime": lambda take, seconds: (seconds - take.position) * per_second,
        }


def module_for(project: Project) -> types.ModuleType:
    """A `reaper_python` that works on this project."""
    made = types.ModuleType("reaper_python")
    calls = project.calls()
    made.__dict__.update(calls, __all__=list(calls))
    sys.modules["reaper_python"] = made
    return made
