"""Where a cold command's time goes: the same command in this process, told in stages (see cold.py).

    STARTED=SECONDS python -m benchmarks.stages ours|peer ARGUMENT...    (SECONDS of time.monotonic)

Nothing is imported here that would be counted as the interpreter's start.
"""

from __future__ import annotations

import os
import sys
import time

PEER = """
import sys
from midigpt import Score
from midigpt.inference import GenerationRequest, InferenceConfig, InferenceEngine, TrackPrompt

ckpt, song, track, first, end, temperature, seed, out = sys.argv[1:]
engine = InferenceEngine.from_checkpoint(ckpt)
score = Score.from_midi(song)
bars = list(range(int(first), int(end)))
tracks = [TrackPrompt(id=i, bars=bars if i == int(track) else []) for i in range(len(score.tracks))]
checks = dict(max_attempts=1, novelty_check=False, silence_check=False)
config = InferenceConfig(seed=int(seed), temperature=float(temperature), **checks)
engine.session(score, GenerationRequest(tracks=tracks, config=config)).run().to_midi(out)
"""

REST = "all else (options, plan, checks, report)"


class Stages:
    """Seconds of each stage of this process: at any moment one of them is on, and gets the time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._on = ["start of the interpreter"]
        self._last = float(os.environ["STARTED"])

    def _settle(self) -> None:
        now = time.monotonic()
        self.seconds[self._on[-1]] = self.seconds.get(self._on[-1], 0.0) + now - self._last
        self._last = now

    def next(self, name: str) -> None:
        """From here on it is another stage."""
        self._settle()
        self._on[-1] = name

    def wrap(self, owner: object, function: str, name: str) -> None:
        """Every call of a function is a stage of its own, within whichever is on."""
        whole = owner.__dict__[function]
        plain = whole.__func__ if isinstance(whole, classmethod) else whole

        def timed(*given: object, **named: object) -> object:
            self._settle()
            self._on.append(name)
            try:
                return plain(*given, **named)
            finally:
                self._settle()
                self._on.pop()

        setattr(owner, function, classmethod(timed) if isinstance(whole, classmethod) else timed)

    def tell(self) -> None:
        self._settle()
        import json

        print(json.dumps({**self.seconds, "last": self._last}), flush=True)


def staged_ours(arguments: list[str]) -> None:
    """Run the command line in this process and tell its stages."""
    stages = Stages()
    stages.next("import: command line")
    import midigpt_cli.commands.infill
    import midigpt_cli.main
    import midigpt_cli.run_songs
    from midigpt_cli.gc_tuning import stop_collecting

    stages.next("import: engine")
    import safetensors.numpy  # noqa: F401

    import midigpt_core.engine
    import midigpt_core.model.checkpoint
    from midigpt_cli.output.destination import Destination
    from midigpt_core.generation.run import Run
    from midigpt_core.model import compiled_model
    from midigpt_core.sampling.batch import Decoder
    from midigpt_core.score import Score

    stages.wrap(Score, "from_midi", "read the song")
    stages.wrap(midigpt_core.engine.InferenceEngine, "from_checkpoint", "load: checkpoint")
    stages.wrap(compiled_model, "pack", "load: pack the weights")
    stages.wrap(Run, "_prompts", "encode")
    stages.wrap(compiled_model.FastCache, "prefill", "read the prompt")
    stages.wrap(Decoder, "generate", "write the tokens")
    stages.wrap(Destination, "write", "write the file")
    stages.next(REST)
    code = midigpt_cli.main.run(arguments)
    stages.tell()
    stop_collecting()
    sys.exit(code)


def staged_peer(arguments: list[str]) -> None:
    """Run the peer's script in this process and tell its stages."""
    stages = Stages()
    stages.next("import: torch")
    import torch  # noqa: F401

    stages.next("import: engine")
    import midigpt.inference.session
    import safetensors.torch  # noqa: F401
    from midigpt import Score
    from midigpt.inference import InferenceEngine

    stages.wrap(Score, "from_midi", "read the song")
    stages.wrap(InferenceEngine, "from_checkpoint", "load: checkpoint")
    stages.wrap(InferenceEngine, "warmup", "load: one token to warm up")
    stages.wrap(midigpt.inference.session.SamplingSession, "run", "encode, read the prompts, write the tokens")
    stages.wrap(Score, "to_midi", "write the file")
    stages.next(REST)
    sys.argv = ["-c", *arguments]
    exec(PEER, {})
    stages.tell()


if __name__ == "__main__":
    {"ours": staged_ours, "peer": staged_peer}[sys.argv[1]](sys.argv[2:])
