"""Fit the echo's prior anew, and say what it and the tracks' styles are worth: nats per token of held-out bars.

    python -m benchmarks.fit_echo CORPUS --manifest MANIFEST.csv [--ckpt FILE] [--per-kind 40]

Half of the songs (by a hash of their names) are fitted on, the other half is measured. Bars are taken out as
`midigpt evaluate` does it; the model's logits are read after its prompt, the sources are those of
`midigpt_core/echo/sources.py`, so that nothing of the bars taken out is known.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor

from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.echo.mixture import END, KEPT, SLIP, StyleBias, Tokens, stand, style_bias
from midigpt_core.echo.sources import WEIGHTS
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.judge import request_for
from midigpt_core.evaluate.tasks import Task, draw_tasks
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.generation.tokens_to_notes import original_tokens
from midigpt_core.request import InferenceConfig
from midigpt_core.tokens.types import TokenType

NAMES = tuple(WEIGHTS)


@dataclass(frozen=True)
class Bar:
    """One bar that was taken out, read back by the model and by its sources."""

    voice: str
    fitted: bool  # its song is one that is fitted on
    model: Tensor  # (tokens,): log-probability of each token under the network alone
    biased: Tensor  # the same, biased towards the track's styles
    features: Tensor  # (sources, features)
    gains: Tensor  # (1 + sources, tokens): how well each foresaw the token, against the biased network


def bars_of(engine: InferenceEngine, task: Task) -> Iterator[Bar]:
    """The bars of a task's infill steps that fit the model."""
    request, model = request_for(task, InferenceConfig()), engine.model
    for step in fitting_plan(request, task.score, task.cells, engine.tokenizer, 0, model.n_positions):
        prompt, _ = narrowed(engine.tokenizer, task.score, step, request, (), model.n_positions)
        body = original_tokens(prompt)
        ids = [*prompt.prompt.tokens, *body]
        if body and len(ids) <= model.n_positions:
            logits = torch.as_tensor(model.logits(ids))[len(prompt.prompt.tokens) - 1 : -1].log_softmax(-1)
            yield from _read(prompt, body, logits, task)


def _read(prompt: StepPrompt, body: Sequence[int], logprobs: Tensor, task: Task) -> Iterator[Bar]:
    vocabulary, ids = prompt.tokenizer.vocabulary, torch.tensor(body)
    starts, ends = (vocabulary.range(kind)[0] for kind in (TokenType.FILL_IN_START, TokenType.FILL_IN_END))
    written: list[list[int]] = [[]]
    rows: list[list[int]] = [[]]
    for row, token in enumerate(body):
        if token != starts:
            written[-1].append(END if token == ends else token)
            rows[-1].append(row)
        if token == ends:
            written.append([])
            rows.append([])
    for cell, (track, bar) in enumerate(prompt.cells):
        tokens, own = written[cell], logprobs[rows[cell]]
        styled = _biased(own, prompt.known.styles[cell])
        model, biased = (by.gather(1, ids[rows[cell], None])[:, 0] for by in (own, styled))
        gains, features = [torch.ones(len(tokens))], []
        for source in prompt.known.repeatable[cell].sources:
            said = [*(written[source.cell][:-1] if source.cell >= 0 else source.body), END]
            hits = torch.tensor(_hits(prompt, said, tokens))
            gains.append(torch.where(hits, SLIP + (1 - SLIP) * torch.exp(-biased), torch.tensor(SLIP)))
            features.append([prompt.known.around.features(track, bar, source.bar)[name] for name in NAMES])
        drums = task.score.tracks[track].track_type == "drum"
        fitted = zlib.crc32(task.file.encode()) % 2 == 0
        table = torch.tensor(features).reshape(-1, len(NAMES))
        yield Bar("drums" if drums else task.voice, fitted, model, biased, table, torch.stack(gains))


def _biased(logprobs: Tensor, style: StyleBias) -> Tensor:
    rows = [row + style_bias(row, style.bias, style.factors, style.kinds) for row in logprobs.numpy()]
    return torch.as_tensor(np.stack(rows))


def _hits(prompt: StepPrompt, said: Sequence[int], tokens: Sequence[int]) -> list[bool]:
    vocabulary = prompt.tokenizer.vocabulary
    known = Tokens([], *vocabulary.range(TokenType.TIME_ABSOLUTE_POS), vocabulary.types)
    found, at = [], 0
    for token in tokens:
        found.append(said[at] == token)
        if token != END:
            [at] = stand([tuple(said)], [at], token, known)
    return found


def alone(bars: Sequence[Bar], styles: bool) -> float:
    """Nats per token of the network, perhaps biased."""
    parts = [bar.biased if styles else bar.model for bar in bars]
    return -float(torch.cat(parts).mean())


def loss(bars: Sequence[Bar], weights: Tensor, kept: float = KEPT, strength: float = 1.0) -> Tensor:
    """Nats per token of the mixture. Differentiable where kept is 1."""
    total, count = torch.zeros(()), 0
    for bar in bars:
        count += len(bar.biased)
        total = total - bar.biased.sum()
        if not len(bar.features):
            continue
        prior = torch.cat([torch.zeros(1), bar.features @ weights + log(strength)]).softmax(0)
        if kept == 1:
            total = total - (prior.log()[:, None] + bar.gains.log()).sum(1).sub(
                prior.log() * (bar.gains.shape[1] - 1)
            ).logsumexp(0)
            continue
        now = prior
        for gain in bar.gains.T:
            share = (now * gain).sum()
            total, now = total - share.log(), kept * now * gain / share + (1 - kept) * prior
    return total / max(1, count)


def fit(bars: Sequence[Bar]) -> Tensor:
    """The weights under which the bars are likeliest, from those in use."""
    weights = torch.tensor([float(WEIGHTS[name]) for name in NAMES], requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss(bars, weights, 1.0) + 1e-4 * weights.square().sum()
        value.backward()
        return value

    solver.step(closure)
    return weights.detach()


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    engine = engine_of(asked, dtype="float32")
    tasks = draw_tasks(real_songs(asked.corpus, asked.manifest), asked.per_kind, asked.seed)
    bars = [bar for task in tasks for bar in bars_of(engine, task)]
    ours, test = [bar for bar in bars if bar.fitted], [bar for bar in bars if not bar.fitted]
    weights, used = fit(ours), torch.tensor([float(WEIGHTS[name]) for name in NAMES])
    print(f"{len(tasks)} tasks, {len(ours)} bars fitted, {len(test)} measured\n")
    print("| feature | fitted | in use |\n|---|--:|--:|")
    for name, new, old in zip(NAMES, weights.tolist(), used.tolist(), strict=True):
        print(f"| {name} | {new:.2f} | {old:.2f} |")
    print("\n| measured bars | n | network | with styles | and echo, in use | fitted |\n|---|--:|--:|--:|--:|--:|")
    with torch.no_grad():
        for voice in ("all", *sorted({bar.voice for bar in test})):
            some = [bar for bar in test if voice in ("all", bar.voice)]
            figures = [alone(some, False), alone(some, True), *(float(loss(some, given)) for given in (used, weights))]
            print(f"| {voice} | {len(some)} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
