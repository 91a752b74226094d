"""The public doors onto the pipeline: an engine holds a model, a session runs one request."""

from __future__ import annotations

import threading
from os import PathLike
from typing import TYPE_CHECKING, Any

from midigpt_core import trace
from midigpt_core.attributes import AttributeTable
from midigpt_core.errors import GenerationError
from midigpt_core.generation.candidates import Take
from midigpt_core.generation.plan import plan
from midigpt_core.generation.run import Partial, Result, Run, Timing
from midigpt_core.generation.validate import check_request
from midigpt_core.request import GenerationRequest
from midigpt_core.sampling.batch import Decoder
from midigpt_core.score import Score
from midigpt_core.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from midigpt_core.model.base import LanguageModel


class InferenceEngine:
    """A loaded model with its tokenizer. Sessions of one engine share model calls, from any thread."""

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
        **loading: Any,
    ) -> InferenceEngine:
        """Load by name: "open" (packaged), a hub name such as "yellow", or a hub repository and `filename`.

        `loading` may hold revision, token (hub), device ("auto", "cpu", "cuda", "mps") and dtype.
        Raises CheckpointError.
        """
        from midigpt_core.model.hub import resolve

        where = {key: loading.pop(key) for key in ("revision", "token") if key in loading}
        return cls.from_checkpoint(resolve(name_or_repo_id, filename, **where), analyzer, **loading)

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
        return SamplingSession(self, score, request)

    def warmup(self) -> None:
        """Run one token through the model, so that the first request does not pay for lazy initialisation."""
        self.model.new_cache(lanes=1, capacity=8).prefill(0, [0])


class SamplingSession:
    """One request on its way. Set `listener` before it runs to follow it, `cancel_event` to stop it."""

    def __init__(self, engine: InferenceEngine, score: Score, request: GenerationRequest) -> None:
        self.engine = engine
        self.score = score
        self.request = request
        self.listener: trace.Listener = trace.ignore
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
        """Tokens written so far."""
        return self._run.written

    @property
    def timing(self) -> Timing:
        """Seconds spent so far."""
        return self._run.timing

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

    def run_takes(self) -> Result:
        """Write all steps of all takes and return everything about them."""
        self._run.listen, self._run.cancelled = self.listener, self.cancel_event.is_set
        self.result = self._run.go()
        return self.result
