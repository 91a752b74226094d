"""The public doors onto the pipeline: an engine holds a model, a session runs one request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

from midigpt_core import trace
from midigpt_core.attributes import AttributeTable
from midigpt_core.errors import GenerationError
from midigpt_core.fields import nearest
from midigpt_core.generation.request_checks import check_request
from midigpt_core.generation.request_plan import plan
from midigpt_core.generation.run import Partial, Result, Run, Timing
from midigpt_core.generation.take import Take
from midigpt_core.harmony.song_chords import with_chords
from midigpt_core.request import GenerationRequest
from midigpt_core.sampling.batch import Decoder
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from midigpt_core.model.base import LanguageModel


class InferenceEngine:
    """A loaded model with its tokenizer. Sessions of one engine share model calls, from any thread."""

    __slots__ = ("__weakref__", "decoder", "model", "tokenizer")

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, max_lanes: int = 16, reserve_lanes: int = 1) -> None:
        """`max_lanes` attempts share a model call at most; a server reserves as many, so that callers join at once."""
        self.model = model
        self.tokenizer = tokenizer
        self.decoder = Decoder(model, tokenizer.vocabulary, max_lanes, reserve_lanes)

    @classmethod
    def from_pretrained(
        cls,
        name_or_repo_id: str = "open",
        filename: str | None = None,
        analyzer: AttributeTable | None = None,
        *,
        name: str | None = None,
        hf_repo: str | None = None,
        **loading: Any,
    ) -> InferenceEngine:
        """Load by name: "open" (packaged), a hub name such as "yellow", or a hub repository and `filename`.

        `name` and `hf_repo` are MIDI-GPT's words: the beginning of a file's name in a hub repository.

        `loading` may hold revision, token (hub), device ("auto", "cpu", "cuda", "mps") and dtype.
        Raises CheckpointError.
        """
        from midigpt_core.model.hub import resolve
        from midigpt_core.model.names import HubReference

        known = {"revision", "token", "device", "dtype", "max_lanes", "reserve_lanes"}
        for key in loading.keys() - known:
            raise TypeError(f"from_pretrained has no {key!r}; {nearest(key, known | {'name', 'hf_repo', 'filename'})}")
        where = {key: loading.pop(key) for key in ("revision", "token") if key in loading}
        wanted = name or name_or_repo_id
        if hf_repo is None:
            return cls.from_checkpoint(resolve(wanted, filename, **where), analyzer, **loading)
        place = HubReference(hf_repo, prefix=wanted, revision=where.pop("revision", None), name=f"{hf_repo}:{wanted}*")
        return cls.from_checkpoint(resolve(place, **where), analyzer, **loading)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | PathLike[str],
        analyzer: AttributeTable | None = None,
        device: str = "auto",
        dtype: str = "auto",
        max_lanes: int = 16,
        reserve_lanes: int = 1,
    ) -> InferenceEngine:
        """Load a `.safetensors` file, a packed `.pt` bundle or a legacy directory.

        device: "auto" takes CUDA before MPS before the CPU; dtype: "float32", "bfloat16", "float16", or "auto", what is
        fast there: float32, or on a processor the compiled decoder with 8-bit weights. Raises CheckpointError, or
        RequestValidationError for these words.
        """
        from midigpt_core.model.checkpoint import load_for_use

        encoder_config, model = load_for_use(path, device, dtype)
        tokenizer = Tokenizer(encoder_config)
        if analyzer is not None:
            tokenizer.attributes = analyzer
        return cls(model, tokenizer, max_lanes, reserve_lanes)

    def session(self, score: Score, request: GenerationRequest) -> SamplingSession:
        """A session for one request: checked and planned, not yet run. Raises RequestValidationError."""
        check_request(request, score, self.tokenizer.config, self.tokenizer.attributes)
        return SamplingSession(self, score, with_chords(request, score))

    def warmup(self) -> None:
        """Run one token through the model, so that the first request does not pay for lazy initialisation."""
        self.model.new_cache(lanes=1, capacity=8).prefill(0, [0])


class SamplingSession:
    """One request on its way. Set `listener` or `note_sink` before it runs to follow it, `cancel_event` to stop it."""

    __slots__ = (
        "__weakref__",
        "_run",
        "cancel_event",
        "engine",
        "listener",
        "note_sink",
        "plan",
        "request",
        "result",
        "score",
    )

    def __init__(self, engine: InferenceEngine, score: Score, request: GenerationRequest) -> None:
        self.engine = engine
        self.score = score
        self.request = request
        self.listener: trace.Listener = trace.ignore
        self.note_sink: Callable[[list[dict[str, int]]], None] | None = None  # gets the notes of each bar when written
        self.cancel_event = threading.Event()
        self.result: Result | None = None
        self.plan = plan(request, score, engine.tokenizer, engine.model.n_positions)
        self._run = Run(
            tokenizer=engine.tokenizer,
            decoder=engine.decoder,
            score=score,
            request=request,
            plan=self.plan,
            n_positions=engine.model.n_positions,
        )

    @property
    def gen_count(self) -> int:
        """Bars written so far, in finished steps, of all takes together."""
        return self._run.bars

    @property
    def token_count(self) -> int:
        """Tokens written so far."""
        return self._run.written

    @property
    def timing(self) -> Timing:
        """Seconds spent so far."""
        return self._run.timing

    @property
    def resolved_seed(self) -> int:
        """The seed of the first take: the request's, or the one drawn for it."""
        return self.plan.seed

    @property
    def generated_bars(self) -> dict[int, list[int]]:
        """The bars that are written, by track."""
        found: dict[int, list[int]] = {}
        for track, bar in sorted({cell for step in self.plan.steps for cell in step.cells}):
            found.setdefault(track, []).append(bar)
        return found

    def plan_summary(self) -> list[dict[str, Any]]:
        """The steps a run takes: window, autoregressive or not, and the bars each writes, by track."""
        summary = []
        for step in self.plan.steps:
            bars: dict[str, list[int]] = {}
            for track, bar in sorted(step.cells):
                bars.setdefault(str(track), []).append(bar)
            window = [step.start_bar, step.end_bar]
            summary.append({"window": window, "autoregressive": step.autoregressive, "generate": bars})
        return summary

    def partial(self) -> Partial:
        """What the finished steps came to, for a run that was stopped."""
        return self._run.partial

    def ready(self, take: int) -> Take:
        """A take announced by trace.TakeReady, while others are still being written."""
        return self._run.ready(take)

    def run(self) -> Score:
        """Write all steps and return the best accepted take; the score given is not changed.

        Raises GenerationError when every attempt at a step failed its checks (`result` keeps the best of them),
        CancelledError when stopped.
        """
        best = self.run_takes().ranked[0]
        if not best.accepted:
            raise GenerationError(
                f"all {self.request.config.max_attempts} attempts were rejected ({best.rejected[-1]}); "
                "raise max_attempts or temperature_escalation, or switch the check off"
            )
        return best.score

    def run_variations(self) -> list[dict[str, Any]]:
        """Write all takes; of each its score, seed, bars and tokens, and why it failed its checks, if it did."""
        return [
            {
                "score": take.score,
                "seed": take.seed,
                "gen_count": take.bars,
                "token_count": take.tokens,
                "error": None if take.accepted else take.rejected[-1],
            }
            for take in self.run_takes().takes
        ]

    def run_takes(self) -> Result:
        """Write all steps of all takes and return everything about them."""
        self._run.listen = self.listener if self.note_sink is None else self._told
        self._run.cancelled = self.cancel_event.is_set
        self.result = self._run.go()
        return self.result

    def _told(self, event: trace.Event) -> None:
        """Hand an event on; the notes of the first take's bars to who wants only those."""
        self.listener(event)
        if self.note_sink is not None and isinstance(event, trace.BarReady) and event.take == 0:
            names = ("pitch", "velocity", "onset_ticks", "duration_ticks")
            place = {"track": event.track, "bar": event.bar}
            self.note_sink([{**place, **dict(zip(names, note, strict=True))} for note in event.notes])
