"""Words a shell may complete: models, tracks of the song on the line, controls, scales, grids, devices."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer


def models(incomplete: str) -> list[str]:
    """Known names; files are the shell's own business."""
    from midigpt_core.model.names import KNOWN

    return _begin(incomplete, (known.name for known in KNOWN))


def devices(incomplete: str) -> list[str]:
    """Devices."""
    from midigpt_core.model.device import DEVICES

    return _begin(incomplete, DEVICES)


def dtypes(incomplete: str) -> list[str]:
    """Floating types."""
    from midigpt_core.model.device import DTYPES

    return _begin(incomplete, DTYPES)


def tracks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Track numbers and names of the songs already on the line, and the words for kinds of tracks."""
    from midigpt_core.errors import MidiGptError
    from midigpt_core.midi_file import read_score

    found = ["drums", "melodic", "all"]
    for song in _songs(ctx):
        try:
            score = read_score(song)
        except MidiGptError:
            continue
        for number, track in enumerate(score.tracks, 1):
            found += [str(number), *([track.name] if track.name else [])]
    return _begin(incomplete, dict.fromkeys(found))


def attributes(incomplete: str) -> list[str]:
    """Names of controls, each with its equals sign."""
    from midigpt_core.tokens.tokenizer import Tokenizer

    packaged = Path(__file__).resolve().parents[2] / "midigpt_core" / "tokens" / "open_encoder.json"
    names = Tokenizer.from_config(packaged).attributes.names
    head, mark, start = incomplete.rpartition("/")
    return [f"{head}{mark}{name}=" for name in names if name.startswith(start)]


def scales(incomplete: str) -> list[str]:
    """ROOT:SCALE."""
    from midigpt_core.music import SCALES

    root, colon, _ = incomplete.rpartition("/")[2].partition(":")
    head = incomplete[: incomplete.rfind("/") + 1]
    if not colon and len(root) < 2:
        roots = [f"{letter}{sign}" for letter in "CDEFGAB" for sign in ("", "b", "#")]
        return _begin(incomplete, (f"{head}{name}:" for name in roots))
    return _begin(incomplete, (f"{head}{root}:{scale}" for scale in SCALES))


def grids(incomplete: str) -> list[str]:
    """Units of a rhythm grid."""
    from midigpt_core.music import GRIDS

    return _begin(incomplete, GRIDS)


def presets(incomplete: str) -> list[str]:
    """Presets, one's own too."""
    from midigpt_cli import config
    from midigpt_core.errors import MidiGptError

    try:
        names = config.presets(config.read())
    except MidiGptError:
        names = dict(config.PRESETS)
    return _begin(incomplete, names)


def instruments(incomplete: str) -> list[str]:
    """General MIDI instruments."""
    from midigpt_cli.parse.instruments import NAMES

    return _begin(incomplete.lower(), (name.lower() for name in NAMES))


def _songs(ctx: typer.Context) -> list[str]:
    named = [ctx.params.get(key) for key in ("songs", "song", "to")]
    words = [word for item in named for word in (item if isinstance(item, (list, tuple)) else [item]) if word]
    return [str(word) for word in [*words, *ctx.args] if word != "-"]  # args: what an unfinished line leaves over


def _begin(start: str, words: Iterable[str]) -> list[str]:
    """The words that begin so, whatever the case; the beginning stays as it was typed, or it would not be taken."""
    fitting = (word for word in words if word.lower().startswith(start.lower()))
    return list(dict.fromkeys(start + word[len(start) :] for word in fitting))
