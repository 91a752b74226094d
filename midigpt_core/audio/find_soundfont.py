"""Find a General MIDI SoundFont: the one given, the one the environment names, the system's, or pretty_midi's."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from midigpt_core.errors import AudioError, AudioFileError

VARIABLE = "MIDIGPT_SOUNDFONT"

_FOLDERS = (
    "~/.local/share/soundfonts",
    "~/.local/share/sounds/sf2",
    "/usr/share/sounds/sf2",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/usr/share/sounds/sf3",
    "/opt/homebrew/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "/Library/Audio/Sounds/Banks",
    "C:/soundfonts",
)
_FAVOURITES = ("default-GM", "default", "FluidR3_GM", "GeneralUser", "MuseScore_General", "TimGM6mb")
_BUNDLED = "TimGM6mb.sf2"  # GPL-2, by Tim Brechbill; comes inside the pretty_midi package


def find_soundfont(given: str | os.PathLike[str] | None = None, compressed: bool = False) -> Path:
    """The SoundFont to use; `compressed` allows .sf3 too. Raises AudioError where there is none."""
    named = given or os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            source = "" if given else f" (from {VARIABLE})"
            raise AudioFileError(f"soundfont {named}{source}: no such file; give a General MIDI .sf2")
        return path
    found = [*_installed(compressed), *_bundled()]
    if not found:
        raise AudioError(f"no General MIDI soundfont on this machine; give one with --soundfont FILE.sf2 or {VARIABLE}")
    return found[0]


def _installed(compressed: bool) -> list[Path]:
    """SoundFonts in the usual folders, well-known complete ones first; others may lack most instruments."""
    endings = (".sf2", ".sf3") if compressed else (".sf2",)
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
    known = [(rank, f) for f in files for rank, name in enumerate(_FAVOURITES) if f.stem.startswith(name)]
    return [file for _, file in sorted(known) if file.suffix.lower() in endings and file.is_file()]


def _bundled() -> list[Path]:
    """The SoundFont inside pretty_midi, which need not be imported for it."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        return []
    file = Path(spec.origin).with_name(_BUNDLED)
    return [file] if file.is_file() else []
