"""Write docs/words.md from the table of words: python docs/make_words.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from midigpt_cli.parse.instruments import NAMES
from midigpt_core.words import table

PAGE = Path(__file__).parent / "words.md"
INTRO = """# Words

`--prompt TEXT` of `generate`, `loop`, `jam` and `infill` asks in words; over HTTP, `prompt` beside the other fields of
`/generate`, `/loop`, `/infill` and `/jam/start` (there also `styles` with `style_weights`):

    midigpt generate --prompt "sparse funk bass in E minor, 100 bpm" -o bass.mid

Words are looked up in the tables below; no network reads them. What became of each word, which words are not known and
what contradicts what is said on standard error and, with `--json`, under `understood`; `GET /words?prompt=TEXT` answers
with the same. The tracks of a score that is sent, its tempo and its metre stay as they are.

- Options win over words, and the answer says so.
- A word such as *sparse* is for the part it stands before; after a part, for that part; alone between commas, for all.
- A role beside an instrument is one part: *piano chords*. A joint (*and*, *with*, a comma) begins another.
- *very* makes a word of density stronger; *no* and *without* leave a part out.
- Numbers: `100 bpm`, `at 100`, `3/4`, `8 bars`. Keys: `E minor`, `F# dorian`, `B flat major`, `key of G`.
- The first of two words that contradict each other is kept.
- A word of five letters or more may be misspelt a little.
- A style brings its tempo and feel and, where no part is named, its parts; of several styles the parts are the first's
  and the tempo is their mean.
- In `infill`, the parts that are named are the tracks to write, unless `--track` says which; tempo and metre are the
  song's.

This page is made by `python docs/make_words.py` from `midigpt_core/words/table.py`; a row added there is understood.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    parts += _section("Instruments", ("word", "instrument"), ((w, _named(p)) for w, p in table.PARTS.items()))
    bands = ((w, ", ".join(NAMES[program] for program in programs)) for w, programs in table.ENSEMBLES.items())
    parts += _section("Ensembles", ("words", "instruments"), bands)
    roles = ((w, role, NAMES[program]) for w, (role, program) in table.ROLES.items())
    parts += _section("Roles", ("word", "role", "instrument, where nothing names one"), roles)
    feels = ((w, *feel) for w, feel in table.FEELS.items())
    parts += _section("How a part plays", ("word", "control", "value"), feels)
    parts += ["Loudness is understood but nothing in the program asks a model for it; the answer says so.", ""]
    moods = ", ".join(sorted(table.MOODS))
    parts += [f"Moods are understood in the same way: {moods}.", ""]
    for title, words, meaning in (
        ("Rhythm", table.GRIDS, "grid"),
        ("Tempo", table.TEMPOS, "quarter notes per minute"),
        ("Scales", table.SCALES, "scale"),
        ("Metre", table.METRES, "metre"),
    ):
        parts += _section(title, ("word", meaning), words.items())
    head = ("style", "tempo", "parts", "metre", "grid")
    parts += _section("Styles", head, (_style(name, style) for name, style in table.STYLES.items()))
    parts += _section("Other words for styles", ("word", "style"), table.SPELLINGS.items())
    return "\n".join(parts)


def _named(program: int | None) -> str:
    return "drums" if program is None else NAMES[program]


def _style(name: str, style: table.Style) -> tuple[Any, ...]:
    parts: Mapping[str, int | None] = style.parts
    listed = ", ".join(_named(program) for program in parts.values())
    return name, f"{style.bpm[0]}-{style.bpm[1]}", listed, style.metre, style.grid


def _section(title: str, head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> list[str]:
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
    return [f"## {title}", "", *lines, ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
