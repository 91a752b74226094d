"""A tiny random model and a small song, for tests that need a whole engine in milliseconds."""

from __future__ import annotations

from functools import lru_cache

import pytest

from midigpt_core.engine import InferenceEngine
from midigpt_core.model.shape import GPT2Config
from midigpt_core.request import GenerationRequest, InferenceConfig, TrackPrompt
from midigpt_core.sampling.batch import Decoder
from midigpt_core.sampling.lane import Lane
from midigpt_core.score import Bar, Note, Score, Track
from midigpt_core.tokens.tokenizer import Tokenizer

OPEN_ENCODER = "open_encoder.json"


@lru_cache(maxsize=4)
def engine(encoder: str = OPEN_ENCODER, n_positions: int = 2048) -> InferenceEngine:
    """An engine with random weights, the same every time."""
    from pathlib import Path

    torch = pytest.importorskip("torch")

    import midigpt_core.tokens
    from midigpt_core.model.gpt2 import GPT2

    path = Path(midigpt_core.tokens.__file__).parent / encoder if encoder == OPEN_ENCODER else Path(encoder)
    tokenizer = Tokenizer.from_config(path)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = GPT2(GPT2Config(tokenizer.vocab_size, n_positions, 32, 2, 2)).eval()
    return InferenceEngine(model, tokenizer)


def song(bars: int = 12, metres: tuple[tuple[int, int], ...] = ((4, 4),)) -> Score:
    """Drums, bass and chords, made up; bar b has metre metres[b % len(metres)]."""

    def bar(b: int, notes: list[Note]) -> Bar:
        numerator, denominator = metres[b % len(metres)]
        length = 4 * numerator / denominator
        return Bar([n for n in notes if n.onset_ticks < 480 * length], numerator, denominator, length)

    kit = [Note(36, 100, 0, 60), Note(42, 70, 240, 60), Note(38, 96, 480, 60), Note(42, 70, 720, 60)]
    drums = [bar(b, [*kit, Note(49, 110, 0, 60)] if b % 4 == 0 else list(kit)) for b in range(bars)]
    roots = [36, 41, 43, 38]
    bass = [bar(b, [Note(roots[b % 4] + s, 90, t, 200) for t, s in ((0, 0), (480, 7), (960, 12))]) for b in range(bars)]
    chords = [bar(b, [Note(roots[b % 4] + 24 + s, 70, 0, 1800) for s in (0, 4, 7)]) for b in range(bars)]
    return Score(
        [
            Track(drums, 0, "drum", name="Drums"),
            Track(bass, 33, name="Bass"),
            Track(chords, 0, name="Piano"),
        ]
    )


def request(score: Score, bars: dict[int, list[int]], controls: dict[str, object] | None = None, **config: object):
    """Ask for `bars` of each track; `controls` go to every track that is written."""
    config.setdefault("seed", 7)
    prompts = [
        TrackPrompt(t, bars.get(t, []), controls=dict(controls or {}) if t in bars else {})
        for t in range(len(score.tracks))
    ]
    return GenerationRequest(prompts, InferenceConfig(**config))


def lanes_of(wish: GenerationRequest, monkeypatch) -> list[Lane]:
    """The lanes that a request hands to the decoder first, not written yet."""

    class HandedInError(Exception):
        pass

    def keep(self: Decoder, batch: list[Lane]) -> None:
        raise HandedInError(batch)

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "generate", keep)
        with pytest.raises(HandedInError) as caught:
            engine().session(song(), wish).run_takes()
    return caught.value.args[0]
