"""Write docs/words.md from the table of words: python docs/make_words.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from midigpt_cli.parse.instruments import NAMES
from midigpt_core.words import word_tables

PAGE = Path(__file__).parent / "words.md"
INTRO = """# Words

`generate`, `loop`, `jam` and `infill` take a text prompt, `--prompt TEXT`; over HTTP, `/generate`, `/loop`, `/infill`
and `/jam/start` have a field `prompt` (the last also `styles` with `style_weights`):

    midigpt generate --prompt "sparse funk bass in E minor, 100 bpm" -o bass.mid

The words are looked up in the tables below; no language model reads them. The result, with unknown and contradictory
words, is shown on standard error and, with `--json`, under `understood`; `GET /words?prompt=TEXT` returns the same. If
you send a score, its tracks, tempo and metre stay as they are.

- Options override words, and the answer says so.
- A word such as *sparse* applies to the part before or after which it stands; alone between commas, to all parts.
- A role next to an instrument makes one part: *piano chords*. *and*, *with* or a comma begins another part.
- *very* makes *sparse*, *busy* and the like stronger; *no* and *without* leave a part out.
- Numbers: `100 bpm`, `at 100`, `3/4`, `8 bars`. Keys: `E minor`, `F# dorian`, `B flat major`, `key of G`.
- Of two contradictory words, the first counts.
- Small misspellings are accepted in words of five letters or more.
- A style sets tempo and feel and, if you name no parts, the parts. Of several styles, the first sets the parts, and the
  tempo is their mean.
- In `infill`, the parts you name are the tracks to write, unless you use `--track`; tempo and metre are the song's.

Made by `python docs/make_words.py` from `midigpt_core/words/word_tables.py`; to add a word, add a row there.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    parts += _section("Instruments", ("word", "instrument"), ((w, _named(p)) for w, p in word_tables.PARTS.items()))
    bands = ((w, ", ".join(NAMES[program] for program in programs)) for w, programs in word_tables.ENSEMBLES.items())
    parts += _section("Ensembles", ("words", "instruments"), bands)
    roles = ((w, role, NAMES[program]) for w, (role, program) in word_tables.ROLES.items())
    parts += _section("Roles", ("word", "role", "instrument, unless you name one"), roles)
    feels = ((w, *feel) for w, feel in word_tables.FEELS.items())
    parts += _section("How a part plays", ("word", "attribute", "value"), feels)
    parts += ["Loudness is recognised but has no effect; the answer says so.", ""]
    moods = ", ".join(sorted(word_tables.MOODS))
    parts += [f"The same holds for moods: {moods}.", ""]
    for title, words, meaning in (
        ("Rhythm", word_tables.GRIDS, "grid"),
        ("Tempo", word_tables.TEMPOS, "quarter notes per minute"),
        ("Scales", word_tables.SCALES, "scale"),
        ("Metre", word_tables.METRES, "metre"),
    ):
        parts += _section(title, ("word", meaning), words.items())
    head = ("style", "tempo", "parts", "metre", "grid")
    parts += _section("Styles", head, (_style(name, style) for name, style in word_tables.STYLES.items()))
    parts += _section("Other words for styles", ("word", "style"), word_tables.SPELLINGS.items())
    return "\n".join(parts)


def _named(program: int | None) -> str:
    return "drums" if program is None else NAMES[program]


def _style(name: str, style: word_tables.Style) -> tuple[Any, ...]:
    parts: Mapping[str, int | None] = style.parts
    listed = ", ".join(_named(program) for program in parts.values())
    return name, f"{style.bpm[0]}-{style.bpm[1]}", listed, style.metre, style.grid


def _section(title: str, head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> list[str]:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
    return [f"## {title}", "", *lines, ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
