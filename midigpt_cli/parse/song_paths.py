"""Which songs are meant: files, pipes, and folders with all the MIDI files in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from midigpt_core.errors import MidiFileError

MIDI_ENDINGS = (".mid", ".midi", ".kar")
_OWN = re.compile(r"(?P<stem>.+)\.(infill|continue|generate|loop)(\.\d+)?")  # how results are called beside a song


def songs_in(places: Sequence[str]) -> dict[str, Path]:
    """The songs of these places, each with its subfolder of the folder named; other songs have none (Path()).

    Results beside the songs of a folder do not count. Raises MidiFileError.
    """
    found: dict[str, Path] = {}
    for place in places:
        folder = Path(place)
        if not folder.is_dir():
            found.setdefault(place, Path())
            continue
        songs = list(_inside(folder))
        if not songs:
            raise MidiFileError(f"{place}: no MIDI file is in this folder ({', '.join(MIDI_ENDINGS)})")
        for song in songs:
            found.setdefault(str(song), song.parent.relative_to(folder))
    return found


def _inside(folder: Path) -> Iterator[Path]:
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in MIDI_ENDINGS and file.is_file()]
    songs = {file.with_suffix("") for file in files}
    for file in files:
        own = _OWN.fullmatch(file.stem)
        if own is None or file.with_name(own["stem"]) not in songs:
            yield file
