"""Fit the coefficients of harmony anew, and say what they are worth: nats per pitch of held-out bars.

    python -m benchmarks.fit_harmony CORPUS --manifest MANIFEST.csv [--ckpt FILE] [--per-kind 150]

Half of the songs (by a hash of their names) are fitted on, the other half is measured. Bars are taken out as
`midigpt evaluate` does it and read back token by token; each pitch is drawn from what the network with style prior and
echo expects, as it would be when the bars are written, times what harmony says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.on_corpus import corpus_parser, engine_of, real_songs
from midigpt_core.constraints.masks import PITCH, Constraint, Cursor
from midigpt_core.engine import InferenceEngine
from midigpt_core.evaluate.judge import request_for
from midigpt_core.evaluate.tasks import DRUMS, Task, draw_tasks
from midigpt_core.generation.fit_context import narrowed
from midigpt_core.generation.lane_constraints import build_constraints
from midigpt_core.generation.request_plan import fitting_plan
from midigpt_core.generation.step_prompt import StepPrompt
from midigpt_core.generation.tokens_to_notes import original_tokens
from midigpt_core.harmony.bias import Harmony
from midigpt_core.harmony.pitches import WEIGHTS, pitch_scores
from midigpt_core.model.base import log_softmax
from midigpt_core.plan.roles import role
from midigpt_core.request import InferenceConfig
from midigpt_core.tokens.types import TokenType

NAMES = tuple(WEIGHTS)
UNITS = np.eye(len(NAMES))
CLASH, TONE = NAMES.index("semitone"), NAMES.index("unison")


@dataclass(frozen=True)
class Place:
    """One pitch of a melodic bar that was taken out."""

    voice: str
    role: str  # of its track: bass, lead, harmony
    fitted: bool  # its song is one that is fitted on
    logprobs: Tensor  # (128,): log-probabilities without harmony, -inf where a pitch may not be written
    features: Tensor  # (128, features)
    pitch: int  # that stood there


def places_of(engine: InferenceEngine, task: Task) -> Iterator[Place]:
    """The pitches of a task's infill steps that fit the model."""
    request, model = request_for(task, InferenceConfig(harmony=1.0)), engine.model
    for step in fitting_plan(request, task.score, task.cells, engine.tokenizer, 0, model.n_positions):
        prompt, _ = narrowed(engine.tokenizer, task.score, step, request, (), model.n_positions)
        body = original_tokens(prompt)
        ids = [*prompt.prompt.tokens, *body]
        if body and len(ids) <= model.n_positions:
            logits = np.asarray(model.logits(ids), dtype=np.float32)[len(prompt.prompt.tokens) - 1 : -1]
            yield from _read(prompt, body, logits, task)


def _read(prompt: StepPrompt, body: Sequence[int], logits: np.ndarray, task: Task) -> Iterator[Place]:
    vocabulary, grammar, at = prompt.tokenizer.vocabulary, prompt.grammar(), Cursor()
    first, last = vocabulary.range(TokenType.NOTE_ONSET)
    constraints = build_constraints(prompt, 0)
    harmony = next((constraint for constraint in constraints if isinstance(constraint, Harmony)), None)
    for row, token in zip(logits, body, strict=True):
        kind, value = vocabulary.decode(token)
        logprobs = log_softmax(np.where(grammar.legal(), row, np.float32(-np.inf)))
        logprobs = logprobs + _others(constraints, at, logprobs)
        if harmony is not None and kind in PITCH and at.cell in harmony.cells and logprobs[token] > -np.inf:
            track, _ = harmony.cells[at.cell]
            original = prompt.originals.tracks[prompt.tracks.index(track)]
            found = harmony.sounding(at)
            features = np.stack([pitch_scores(*found, unit).values for unit in UNITS], axis=1)
            yield Place(
                task.voice,
                role(original, 0, original.n_bars),
                zlib.crc32(task.file.encode()) % 2 == 0,
                torch.from_numpy(logprobs[first:last]),
                torch.from_numpy(features.astype(np.float32)),
                value,
            )
        drum = prompt.drums[at.cell]
        grammar.advance(token)
        at.advance(kind, value, drum)
        for constraint in constraints:
            constraint.advance(kind, value, at)


def _others(constraints: Sequence[Constraint], at: Cursor, logprobs: np.ndarray) -> np.ndarray:
    """What all constraints but harmony add."""
    found = [constraint.bias(at, logprobs) for constraint in constraints if not isinstance(constraint, Harmony)]
    return np.sum([np.zeros_like(logprobs), *(bias for bias in found if bias is not None)], axis=0)


@dataclass(frozen=True)
class Table:
    """Places side by side."""

    before: Tensor  # (places, 128): log-probabilities without harmony
    features: Tensor  # (places, 128, features)
    pitch: Tensor  # (places,)

    @classmethod
    def of(cls, places: Sequence[Place]) -> Table:
        stacked = (torch.stack([getattr(place, name) for place in places]) for name in ("logprobs", "features"))
        return cls(*stacked, torch.tensor([place.pitch for place in places]))

    def logprobs(self, weights: Tensor) -> Tensor:
        """Of every pitch under these coefficients, (places, 128)."""
        return (self.before + self.features @ weights).log_softmax(-1)

    def loss(self, weights: Tensor) -> Tensor:
        """Nats per pitch."""
        return -self.logprobs(weights).gather(1, self.pitch[:, None]).mean()

    def share(self, feature: int, weights: Tensor | None) -> float:
        """The probability of pitches that have a feature, where another track sounds; None: of those that stood."""
        there = self.features[..., feature] > 0
        sounds = (self.features[..., TONE] > 0).any(1)
        given = (
            torch.nn.functional.one_hot(self.pitch, 128).float() if weights is None else self.logprobs(weights).exp()
        )
        return float((given * there).sum(1)[sounds].mean())


def fit(table: Table) -> Tensor:
    """The coefficients under which the pitches are likeliest."""
    weights = torch.zeros(len(NAMES), requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = table.loss(weights) + 1e-4 * weights.square().sum()
        value.backward()
        return value

    solver.step(closure)
    return weights.detach()


def _row(name: str, test: Table, used: Tensor, fitted: Tensor) -> str:
    none = torch.zeros(len(NAMES))
    nats = [f"{float(test.loss(weights)):.3f}" for weights in (none, used, fitted)]
    shares = [f"{test.share(f, w):.3f}" for f in (TONE, CLASH) for w in (none, used, fitted, None)]
    return f"| {name} | {len(test.pitch)} | " + " | ".join([*nats, *shares]) + " |"


def report(places: Sequence[Place]) -> str:
    """The tables: coefficients, then what they are worth by voice and, each fitted alone, by role."""
    ours, test = [p for p in places if p.fitted], [p for p in places if not p.fitted]
    weights, used = fit(Table.of(ours)), torch.tensor([float(WEIGHTS[name]) for name in NAMES])
    lines = [f"{len(ours)} pitches fitted, {len(test)} measured", "", "| feature | fitted | in use |", "|---|--:|--:|"]
    lines += [f"| {n} | {new:.2f} | {old:.2f} |" for n, new, old in zip(NAMES, weights, used, strict=True)]
    four = " | ".join(("without", "in use", "fitted", "as it stood"))
    lines += ["", f"| measured | n | nats: without | in use | fitted | chord tones: {four} | clashes: {four} |"]
    lines.append("|---|--:|" + "--:|" * 11)
    for voice in ("all", *sorted({place.voice for place in test})):
        some = [place for place in test if voice in ("all", place.voice)]
        lines.append(_row(voice, Table.of(some), used, weights))
    for part in sorted({place.role for place in test}):
        alone = fit(Table.of([place for place in ours if place.role == part]))
        some = Table.of([place for place in test if place.role == part])
        lines.append(_row(f"role {part}", some, used, weights))
        lines.append(_row(f"role {part}, its own coefficients", some, used, alone))
    return "\n".join(lines)


def main() -> None:
    parser = corpus_parser(__doc__)
    parser.add_argument("--per-kind", type=int, default=150)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    engine = engine_of(asked, dtype="float32")
    tasks = draw_tasks(real_songs(asked.corpus, asked.manifest), asked.per_kind, asked.seed)
    places = [place for task in tasks if task.voice != DRUMS for place in places_of(engine, task)]
    print(report(places))


if __name__ == "__main__":
    main()
