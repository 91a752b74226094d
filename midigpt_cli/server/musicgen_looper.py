"""POST /loop as clients of musicgen-looper send it: a prompt and a tempo in, `variation_01`, ... out as files."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request

from midigpt_cli.commands.generate import new_score
from midigpt_cli.parse.jam_messages import song_in
from midigpt_cli.parse.prompt_options import PromptOptions, tracks_named
from midigpt_cli.server.event_stream import until_answered
from midigpt_cli.server.form import in_form_words
from midigpt_cli.server.http_errors import RefusalError, busy
from midigpt_cli.server.jobs_in_memory import Job, JobStore, Once
from midigpt_cli.server.loaded_models import ModelEntry
from midigpt_cli.server.loop_session import LoopSession, worded
from midigpt_cli.server.responses import to_json
from midigpt_cli.server.server_settings import ServerSettings
from midigpt_cli.server.shared_descriptions import BASE64_SONG, MODEL
from midigpt_cli.server.song_limits import check_song, read_limits
from midigpt_cli.server.state import state_of
from midigpt_cli.server.work import STOPPING, Outcome, Rendered, Work
from midigpt_core.audio.audio_files import check_writable, write_audio
from midigpt_core.audio.synthesis import synthesise
from midigpt_core.errors import AudioError, RequestValidationError
from midigpt_core.fields import Door, read, refused, same, setting
from midigpt_core.loop import Variation, check_loop
from midigpt_core.midi_file import score_to_bytes
from midigpt_core.music import bpm_of, metre_of, quarters_of
from midigpt_core.request import InferenceConfig, LoopRequest
from midigpt_core.score import Score
from midigpt_core.words import Understood, read_prompt

RATE = 44_100
BPM = 140.0
FORMATS = ("wav", "mp3", "mid")
_ONLY = ("max_duration", "model_version", "classifier_free_guidance", "output_format")
_FORM_ONLY = Door(ranges=True)


@dataclass(frozen=True)
class LooperBody:
    """A loop from a text prompt, with the fields of musicgen-looper."""

    prompt: str = setting("", "text prompt, such as lofi drums")
    bpm: float | None = setting(
        None, "tempo in quarter notes per minute (default: that of the prompt or song, else 140)", 40, 300
    )
    variations: int = same(LoopRequest, "variations")
    max_duration: float = setting(
        8, "longest duration in seconds; the loop has 1, 2, 4, 8 or 16 bars, as many as fit", 2, 20
    )
    model_version: str = setting("medium", "ignored; set model instead", choices=("medium", "large"))
    top_k: int = setting(250, "keep the k most likely tokens", 0)
    top_p: float = setting(0.0, "keep the smallest set of tokens with this total probability (0: off)", 0.0, 1.0)
    temperature: float = same(InferenceConfig, "temperature")
    classifier_free_guidance: float = setting(1.0, "how strongly the context counts (1: off)", 0.0, 20.0)
    output_format: str = setting("wav", "format of the files", choices=FORMATS)
    seed: int = setting(-1, "seed of the first variation (-1: random)", -1)
    score: dict[str, Any] | None = setting(None, "a song to loop: its first bars are used", model=Score)
    midi: str | None = setting(None, BASE64_SONG)
    model: str | None = setting(None, MODEL)


_KEYS = {row.name for row in dataclasses.fields(LooperBody)}


def is_flat(data: Any) -> bool:
    """Whether a body of /loop is written as for musicgen-looper: with fields only it has, or with its fields alone."""
    if not isinstance(data, dict):
        return False
    inner = data.get("input")
    if isinstance(inner, dict) and len(data) == 1:
        return is_flat(inner) or not inner
    no_song = data.get("score") is None and data.get("midi") is None
    return any(key in data for key in _ONLY) or (bool(data) and no_song and set(data) <= _KEYS - {"score", "midi"})


async def looped(request: Request, data: Mapping[str, Any]) -> Outcome:
    """The answer to such a body: the files are kept as those of a job are. Raises RefusalError, MidiGptError."""
    state, client = state_of(request), request.client.host if request.client else "unknown"
    body = read(LooperBody, _whole_counts(data.get("input", data)), "", _FORM_ONLY)
    check_format(body.output_format)
    entry = state.models.get(body.model)
    state.queue.check_room(client)
    session, understood = await state.queue.in_thread(lambda: prepare(entry, body, state.settings))
    state.jobs.make_room()
    job = Job.new("loop", entry.id, None, state.settings.root_path)
    finish = finish_as(job, f"{request.base_url}".rstrip("/"), body, understood)
    job.work = Work(job.id, "loop", entry, session, client, finish, lambda _: None)
    answered = state.queue.admit(job.work)
    state.jobs.add(job, Once(client, None, job.id))
    answered.add_done_callback(partial(_ended, state.jobs, job))
    outcome = await until_answered(request, job.work, answered)
    if outcome.status == "cancelled" and outcome.reason != STOPPING:
        raise busy(f"stopped before the loops were finished: {outcome.reason}", 409)
    return outcome


def _ended(jobs: JobStore, job: Job, done: asyncio.Future[Outcome]) -> None:
    jobs.ended(job, done.result())


def _whole_counts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body with whole numbers written as 8.0, and with seeds of null, as that system takes them."""
    found = {key: value for key, value in data.items() if not (key == "seed" and value is None)}
    for key in ("variations", "top_k", "seed"):
        value = found.get(key)
        if isinstance(value, float) and value.is_integer():
            found[key] = int(value)
    return found


def check_format(name: str) -> None:
    """Refuse sound that cannot be written here, before any is made. Raises RefusalError (422)."""
    try:
        if name != "mid":
            check_writable(f"loop.{name}", RATE)
    except AudioError as error:
        raise RefusalError(
            422, f"output_format {name!r} cannot be written by this server: {error}; ask for wav", field="output_format"
        ) from error


def prepare(entry: ModelEntry, body: LooperBody, settings: ServerSettings) -> tuple[LoopSession, Understood]:
    """A checked session, and what was understood of the prompt. Raises RefusalError, RequestValidationError."""
    understood = read_prompt(body.prompt)
    song = song_in(body.score, body.midi, read_limits(settings))
    named: tuple[int, ...] = ()
    if song is None:
        song, bpm = _empty(body, understood)
    else:
        named, bpm = _named(body.prompt, song), body.bpm or understood.bpm or bpm_of(song.tempo)
    first = song.tracks[0].bars[0] if song.n_bars else None
    quarters = quarters_of(first.ts_numerator, first.ts_denominator) if first else 4.0
    request = LoopRequest(
        0,
        min(bars_within(body.max_duration, bpm, quarters), max(1, song.n_bars)),
        named or tuple(range(len(song.tracks))),
        body.variations,
        "wrap",
        bpm,
        InferenceConfig(
            seed=body.seed,
            temperature=body.temperature,
            top_k=body.top_k,
            top_p=body.top_p or 1.0,
            guidance=body.classifier_free_guidance,
        ),
    )
    check_song(song, request.variations, settings)
    check_loop(request, song)
    request = worded(request, body.prompt or None, song, entry.engine)
    return LoopSession(entry.engine, song, request), understood


def _named(prompt: str, song: Score) -> tuple[int, ...]:
    try:
        return tracks_named(prompt, song)
    except RequestValidationError as error:
        raise in_form_words(error) from error


def _empty(body: LooperBody, understood: Understood) -> tuple[Score, float]:
    """Empty bars for the parts a prompt names (a pop band's where it names none), and the tempo."""
    prompted = PromptOptions.of(body.prompt if understood.parts else "pop")
    bpm, metre = body.bpm or understood.bpm or BPM, understood.metre or "4/4"
    pair = metre_of(metre)
    bars = bars_within(body.max_duration, bpm, quarters_of(*pair) if pair else 4.0)
    return new_score(prompted.instruments, prompted.drums, bpm, metre, bars), bpm


def bars_within(seconds: float, bpm: float, quarters: float) -> int:
    """How many bars fit, a power of two. Raises RequestValidationError where not even one does."""
    bar = quarters * 60 / bpm
    count = int(seconds / bar + 1e-9)
    if count < 1:
        raise refused("max_duration", seconds, f"is shorter than a bar of {bar:.2f} s at {bpm:g} bpm", "give more")
    return 1 << (count.bit_length() - 1)


def finish_as(job: Job, root: str, body: LooperBody, understood: Understood) -> Any:
    """Puts the files into the job and names them, in the worker's thread."""

    def finish(work: Work, result: list[Variation]) -> Rendered:
        names = {}
        for variation in result:
            key = f"variation_{variation.number:02d}"
            name = f"{key}.{body.output_format}"
            job.files[name] = rendered(variation.score, body.output_format)
            names[key] = f"{root}/jobs/{job.id}/files/{name}"
        score = result[0].score
        told = {
            "job": job.id,
            "bars": score.n_bars,
            "bpm": round(bpm_of(score.tempo), 3),
            "seed": result[0].seed,
            "understood": understood.to_dict(),
            "unused": ["model_version"],
        }
        return Rendered(to_json({**names, **told}))

    return finish


def rendered(score: Score, ending: str) -> bytes:
    """A loop as a file: sound exactly as long as its bars, its tail wrapped into its beginning. Raises AudioError."""
    data = score_to_bytes(replace(score, source=None))
    if ending == "mid":
        return data
    ticks = sum(bar.ticks(score.resolution) for bar in score.tracks[0].bars)
    wave = synthesise(data, RATE, ticks * score.tempo / score.resolution / 1e6, wrap_tail=True)
    with tempfile.TemporaryDirectory(prefix="midigpt-") as folder:
        path = Path(folder, f"loop.{ending}")
        write_audio(wave, path, RATE)
        return path.read_bytes()
