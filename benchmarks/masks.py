"""Compare legal-token masks with midigpt 0.4.2 on hundreds of songs and write the table: python -m benchmarks.masks."""

from __future__ import annotations

from pathlib import Path

from tests.parity.mask_parity import (
    Differences,
    Peer,
    Tokenizer,
    compare_autoregressive,
    compare_density,
    compare_infill,
    load,
)

TABLE = Path(__file__).parent / "results" / "masks.md"
COUNT = 320
HEAD = """# Legal tokens against midigpt 0.4.2

Written by `python -m benchmarks.masks`: 4-bar windows, each of another song of the corpus. Both grammars follow the
tokens of the song itself (under a density limit: random legal tokens); before each token their masks over the whole
vocabulary are compared. "Equal": outright. "Equal once listed": after the differences that docs/differences.md lists
under Grammar were applied to the peer's mask; below, each is named with the number of masks it changed.

| encoder | steps | windows | masks | equal | equal once listed | differing |
|---|---|---|---|---|---|---|
"""


def checks(tokenizer: Tokenizer, peer: Peer) -> dict[str, Differences]:
    return {
        "infill": compare_infill(tokenizer, peer, COUNT),
        "a track from its beginning": compare_autoregressive(tokenizer, peer, COUNT, history=False),
        "a track continued": compare_autoregressive(tokenizer, peer, COUNT, history=True),
        "infill, at most 3 notes a bar": compare_density(tokenizer, peer, COUNT, limit=3),
    }


def main() -> int:
    """Write the table; 1 where anything differs."""
    lines, reasons, wrong = [], [], []
    for name in ("yellow", "prism", "expressive"):
        for steps, found in checks(*load(name)).items():
            listed = found.compared - found.outright - len(found.wrong)
            lines.append(
                f"| {name} | {steps} | {found.windows} | {found.compared:,} | {found.outright:,} | {listed:,} "
                f"| {len(found.wrong)} |"
            )
            changed = ", ".join(f"{reason} ({times:,})" for reason, times in sorted((+found.count).items()))
            reasons.append(f"- {name}, {steps}: {changed}")
            wrong += found.wrong
            print(lines[-1], flush=True)
    TABLE.write_text(HEAD + "\n".join(lines) + "\n\n" + "\n".join(reasons) + "\n")
    print("\n".join(wrong[:50]))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
