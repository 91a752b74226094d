"""An hour of damaged files, callers and checkpoints: each ends in an answer, in little time and memory.

    pytest -m soak                              # an hour
    MIDIGPT_SOAK_MINUTES=5 MIDIGPT_SOAK_SEED=7 pytest -m soak

A failure names the seed of the input; the same seed makes the same input again.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from midi.midi_cases import BEYOND_MIDO, CASES, DAMAGED

from midigpt_core import MidiGptError, Note, Score
from midigpt_core.midi_file import MidiSource, score_to_bytes
from midigpt_core.midi_file.song_facts import song_facts

pytestmark = pytest.mark.soak

MINUTES = float(os.environ.get("MIDIGPT_SOAK_MINUTES", "60"))
SEED = int(os.environ.get("MIDIGPT_SOAK_SEED", "1"))
AREAS = 6
SLOWEST = 10.0  # seconds of processor time for one input
GROWTH_MB = 600  # of the process, over all inputs of an area
STUCK = 60  # seconds until an input is given up
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.mid"))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def bounded(seed: int, before: float) -> Iterator[None]:
    """One input: no longer and no larger than it may be."""

    def stuck(*_: Any) -> None:
        raise TimeoutError(f"input of seed {seed} is stuck")

    signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK)
    began = time.process_time()
    try:
        yield
    finally:
        signal.alarm(0)
    took, grown = time.process_time() - began, peak_mb() - before
    assert took < SLOWEST, f"seed {seed}: {took:.1f} s"
    assert grown < GROWTH_MB, f"seed {seed}: {grown:.0f} MB more"


def soak(each: Callable[[random.Random], None]) -> None:
    """Inputs from one seed after the other, for this area's share of the time."""
    until, seed, before = time.monotonic() + MINUTES * 60 / AREAS, SEED * 1_000_000, peak_mb()
    while time.monotonic() < until:
        seed += 1
        with bounded(seed, before):
            try:
                each(random.Random(seed))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
    print(f"{seed - SEED * 1_000_000} inputs")  # noqa: T201


# ---- damage ----

_TELLING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xff\x2f\0", b"MTrk", b"\xff\xff\xff\x7f")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A copy with a few of its bytes changed, cut, doubled or moved."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(out) + 1)
        stop = min(len(out), start + chance.choice((1, 1, 2, 4, 16, 300)))
        kind = chance.randrange(5)
        if kind == 0:
            out[start:stop] = chance.randbytes(stop - start)
        elif kind == 1:
            out[start:stop] = b""
        elif kind == 2:
            out[start:start] = out[start:stop] * chance.choice((1, 2, 50))
        elif kind == 3:
            out[start : start + 1] = chance.choice(_TELLING)
        else:
            del out[chance.randrange(len(out) + 1) :]
    return bytes(out)


_ODD = (None, True, 0, -1, 2**63, 1e308, "", "x" * 3000, "\ud800", [], {}, [[]], {"a": 1}, "all", "1-999999999", 0.5)


def changed(value: Any, chance: random.Random) -> Any:
    """Plain data with one thing in it put out of place."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        kind = chance.randrange(8)
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {**value, chance.choice(("", "\ud800", "x", key + key)): value[key]}
        return {**value, key: changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], changed(value[at], chance), *value[at + chance.randrange(2) :]]
    return chance.choice(_ODD)


# ---- readers and writers ----


def files() -> list[bytes]:
    small = [data for data in (CASES | BEYOND_MIDO).values()] + [data for data, _ in DAMAGED.values()]
    return [data for data in small + [path.read_bytes() for path in SAMPLES] if data]


def test_damaged_files_are_read_or_refused() -> None:
    songs = files()

    def each(chance: random.Random) -> None:
        data = damaged(chance.choice(songs), chance)
        try:
            score = Score.from_midi(data)
            song_facts(score)
        except MidiGptError:
            return
        assert score_to_bytes(score) == data

    soak(each)


def test_changed_scores_are_written_and_read_back() -> None:
    songs = [data for data in files() if _is_read(data)]

    def each(chance: random.Random) -> None:
        score = Score.from_midi(chance.choice(songs))
        if not score.tracks:
            return
        for _ in range(chance.randint(1, 8)):
            track = chance.choice(score.tracks)
            bar = chance.choice(track.bars)
            length = max(1, round(bar.beat_length * score.resolution))
            bar.notes = [
                Note(chance.randrange(128), chance.randint(1, 127), chance.randrange(length), chance.randint(0, 9000))
                for _ in range(chance.choice((0, 1, 5, 40)))
            ]
        bars = score.n_bars
        again = Score.from_midi(score_to_bytes(score))
        assert not again.tracks or again.n_bars >= bars
        json_again = Score.from_dict(score.to_dict())
        assert json_again.tracks == score.tracks
        score_to_bytes(Score(json_again.tracks, score.resolution, score.tempo))

    soak(each)


def _is_read(data: bytes) -> bool:
    try:
        return bool(Score.from_midi(data).tracks)
    except MidiGptError:
        return False


def test_any_bytes_are_outlined_as_they_are_read() -> None:
    songs = files()

    def each(chance: random.Random) -> None:
        source = MidiSource(damaged(chance.choice(songs), chance))
        try:
            outlines = source.outlines
        except MidiGptError:
            return
        for found, track in zip(outlines, source.read_tracks(), strict=True):
            assert found.end_tick == track.end_tick

    soak(each)


# ---- callers ----


def test_damaged_requests_are_answered() -> None:
    pytest.importorskip("fastapi")
    from serving import client_of, midi, wish

    body, song = wish(max_attempts=1), midi()
    paths = ("/generate", "/jobs", "/loop", "/jam/start", "/jam/update", "/model/select", "/score")
    words = {"bars": "5", "track": "bass", "seed": "1", "density_hard_limit": "4", "max_attempts": "1"}
    with client_of(max_generation_seconds=0.2, max_bars=64, max_jobs=8) as client:

        def each(chance: random.Random) -> None:
            if chance.random() < 0.3:
                fields = {**words, chance.choice([*words, "temperature", "request", "scale"]): str(chance.choice(_ODD))}
                fields = {key: value.encode("utf-8", "replace") for key, value in fields.items()}
                answer = client.post("/infill", files={"file": ("a.mid", damaged(song, chance))}, data=fields)
            else:
                raw = json.dumps(changed(body, chance))
                if chance.random() < 0.3:
                    raw = damaged(raw.encode(), chance)
                answer = client.post(chance.choice(paths), content=raw, headers={"content-type": "application/json"})
            assert answer.status_code < 500 or answer.status_code == 503, answer.text[:500]

        soak(each)


def test_damaged_messages_of_a_websocket_are_answered() -> None:
    pytest.importorskip("websockets")
    from serving import live_server
    from websockets.sync.client import connect

    start = {"type": "start", "tracks": [{"drums": True}, {"instrument": 33}], "bpm": 110, "metre": "4/4", "chunk": 1}
    others = [{"type": kind, "index": 0, "bpm": 100, "time": 1} for kind in ("update", "consume", "status", "ping")]
    with live_server(max_jams=4) as live:

        def each(chance: random.Random) -> None:
            with connect(f"ws://127.0.0.1:{live.port}/ws/jam", max_size=None) as line:
                for message in (start, *chance.sample(others, 2)):
                    text = json.dumps(changed(message, chance))
                    line.send(damaged(text.encode(), chance) if chance.random() < 0.3 else text)
                    told = json.loads(line.recv(timeout=30))
                    assert told.get("status") != 500, told

        soak(each)
        live.until(lambda: not live.state.jams.playing())


# ---- checkpoints ----


def test_damaged_checkpoints_are_loaded_or_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from tiny import engine

    from midigpt_core.model.checkpoint import load_checkpoint, load_for_use, save_checkpoint

    model, encoder = engine().model, engine().tokenizer.config
    save_checkpoint(tmp_path / "m.safetensors", model, encoder)
    bundle = {"format_version": 1, "config": model.config_dict(), "encoder_config": encoder.to_dict()}
    torch.save({**bundle, "state_dict": dict(model.state_dict())}, tmp_path / "m.pt")
    whole = {name: (tmp_path / name).read_bytes() for name in ("m.safetensors", "m.pt")}
    size = int.from_bytes(whole["m.safetensors"][:8], "little")
    header = json.loads(whole["m.safetensors"][8 : 8 + size])

    def each(chance: random.Random) -> None:
        name = chance.choice(list(whole))
        data = whole[name]
        if name == "m.safetensors" and chance.random() < 0.6:
            new = json.dumps(_changed_header(header, chance)).encode()
            data = len(new).to_bytes(8, "little") + new + data[8 + size :]
        elif name == "m.pt" and chance.random() < 0.6:
            at = data.index(b"data.pkl")  # most of a file is numbers: here is the rest
            data = data[:at] + damaged(data[at : at + 20_000], chance) + data[at + 20_000 :]
        else:
            data = damaged(data, chance)
        file = tmp_path / f"damaged-{name}"
        file.write_bytes(data)
        for load in (load_checkpoint, load_for_use):
            assert len(_said(lambda load=load: load(file))) < 2000

    soak(each)


def _said(task: Callable[[], object]) -> str:
    """The sentence it was refused with, or nothing."""
    try:
        task()
    except MidiGptError as error:
        return str(error)
    return ""


def _changed_header(header: dict[str, Any], chance: random.Random) -> Any:
    meta = header["__metadata__"]
    if chance.random() < 0.7:
        key = chance.choice(("config", "encoder_config"))
        return {**header, "__metadata__": {**meta, key: json.dumps(changed(json.loads(meta[key]), chance))}}
    return changed(header, chance)
