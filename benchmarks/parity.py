"""Compare tokens with midigpt 0.4.2 on hundreds of songs and write the table: python -m benchmarks.parity."""

from __future__ import annotations

import sys
from pathlib import Path

from midigpt_core.tokens.kernels import FAST_DECODE, FAST_ENCODE, FAST_FLATTEN, FAST_MEASURE
from tests.parity.test_tokens import MANY, PUBLISHED, compare
from tests.parity.token_parity import Comparison
from tests.support import songs

TABLE = Path(__file__).parent / "results" / "parity.md"
HEAD = """# Tokens against midigpt 0.4.2

Written by `python -m benchmarks.parity` over the song corpus. Each window of each song is compared for every length the
encoder lists: the whole window with its attributes measured, the attribute values themselves, prompts with bars to
fill in and hidden bars in each of the three ways of hiding, a prompt with an open track, the switches (velocity,
micro-timing, genre), and the decoding of all of these. Both the readable reference and the compiled twins take part, so
that one prompt counts as two comparisons. "Metres mapped": windows with metres the encoder does not list (both sides
refuse those), after `grid.with_listed_metres`. The encoder "open" is compared with its controls at revision 1
(docs/differences.md says what revision 2 corrects).

| encoder | songs | windows | check | comparisons | tokens | refused by both | differences |
|---|---|---|---|---|---|---|---|
"""


def rows(name: str, found: Comparison) -> list[str]:
    first = f"| {name} | {found.files} | {found.windows} "
    return [
        f"{first}| {check} | {t.compared:,} | {t.tokens:,} | {t.refused:,} | {len(t.differences)} |"
        for check, t in found.tallies.items()
    ]


def main() -> int:
    """Write the table; 1 where anything differs."""
    if None in (FAST_ENCODE, FAST_DECODE, FAST_FLATTEN, FAST_MEASURE):
        print("build the compiled twins first: python setup.py build_ext --inplace", file=sys.stderr)
        return 1
    lines, differences = [], []
    for name in (*PUBLISHED, "open"):
        found = compare(name, songs(*MANY), every_length=True)
        lines += rows(name, found)
        differences += found.differences
        print(name, found.files, "songs", found.windows, "windows", len(found.differences), "differences", flush=True)
    TABLE.write_text(HEAD + "\n".join(lines) + "\n")
    print("\n".join(differences[:50]))
    return int(bool(differences))


if __name__ == "__main__":
    raise SystemExit(main())
