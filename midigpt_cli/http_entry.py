"""Where the `midigpt-http` command begins: `midigpt serve` with the flags and defaults of MIDI-GPT's own server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

PUBLISHED = "Metacreation/MIDI-GPT"


def translated(arguments: Sequence[str]) -> list[str]:
    """The words of `midigpt serve` that mean the same; flags it has too are handed on as they are."""
    own = argparse.ArgumentParser("midigpt-http", add_help=False, allow_abbrev=False)
    own.add_argument("--host", default="0.0.0.0")
    own.add_argument("--pretrained")
    own.add_argument("--hf-repo", default=PUBLISHED)
    own.add_argument("--max-parallel")  # callers share model calls, however many there are
    options, others = own.parse_known_args(list(arguments))
    words = ["serve", "--host", options.host]
    if options.pretrained and options.hf_repo != PUBLISHED:
        words += ["--model", f"{options.pretrained}={options.hf_repo}:{options.pretrained}-final.safetensors"]
    elif options.pretrained:
        words += ["--pretrained", options.pretrained]
    return words + others


def main() -> None:
    """Run it."""
    from midigpt_cli.entry import main as run

    sys.argv[1:] = translated(sys.argv[1:])
    run()


if __name__ == "__main__":
    main()
