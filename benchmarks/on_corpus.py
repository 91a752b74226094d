"""What scripts that judge a model on held-out songs of a corpus share: their arguments, songs and engine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.tasks import held_out


def corpus_parser(about: str | None) -> argparse.ArgumentParser:
    """CORPUS --manifest MANIFEST.csv [--ckpt FILE]."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--ckpt", help="a checkpoint file; the built-in model if left out")
    return parser


def engine_of(asked: argparse.Namespace, **place: Any) -> InferenceEngine:
    """The model that is judged, on the CPU."""
    load = InferenceEngine.from_checkpoint if asked.ckpt else InferenceEngine.from_pretrained
    return load(asked.ckpt or "open", device="cpu", **place)


def real_songs(corpus: Path, manifest: Path) -> list[Path]:
    """The held-out files of real music."""
    return [file for file in held_out(manifest, corpus) if not file.parent.name.startswith("mma-")]
