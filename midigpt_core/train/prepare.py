"""Turn folders and archives of MIDI files into a data set of tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midigpt_core.errors import MidiGptError, TrainingError
from midigpt_core.tokens.encoder_config import EncoderConfig
from midigpt_core.tokens.vocabulary import Vocabulary
from midigpt_core.train.collect import Found, collect, held_out, read_bytes
from midigpt_core.train.shards import SPLITS, PieceTokens, ShardWriter
from midigpt_core.train.summary import Tally, as_text
from midigpt_core.train.tokenise import fingerprint, tokenise_file

Progress = Callable[[int, int], None]  # files done, files in all
PERMISSIVE = "permissive"  # the manifest's word for licences without share-alike
OPEN_ENCODER = Path(__file__).parents[1] / "tokens" / "open_encoder.json"  # the built-in model's


@dataclass(frozen=True)
class PrepareOptions:
    """What is kept of the files found, and how it is split."""

    manifest: str | None = None  # CSV with path, and any of source, piece, split, tier
    valid_share: float = 0.05  # share of the pieces held out, where no manifest says which
    min_bars: int = 4  # shorter files are left out
    min_notes: int = 30  # so are emptier ones
    any_key: bool = False  # the same piece in another key counts as a duplicate
    processes: int = 2  # that parse


@dataclass(frozen=True)
class _Parsed:
    """What a worker sends back: a piece and its fingerprint, or the reason there is none."""

    piece: PieceTokens | None
    fingerprint: str = ""
    reason: str = ""


def prepare(
    places: Iterable[str | Path],
    out: str | Path,
    encoder: EncoderConfig,
    options: PrepareOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Any]:
    """Write a data set to `out` and return its summary. Files that cannot be used are counted by reason.

    Raises TrainingError when no file is found or none can be used.
    """
    options = options or PrepareOptions()
    found = collect(places, options.manifest)
    vocabulary = Vocabulary(encoder)
    tally = Tally(["/".join(map(str, metre)) for metre in encoder.time_signatures] or ["any"])
    writer = ShardWriter(out, encoder.to_dict())
    splits = _splits(found, options.valid_share)
    first: dict[str, str] = {}
    for done, (item, parsed) in enumerate(_parse(found, encoder, options), 1):
        reason = parsed.reason or _unfit(parsed.piece, options)
        if not reason and parsed.fingerprint in first:
            reason = "duplicate of another file's notes"
        if reason or parsed.piece is None:
            tally.skip(reason, item.name)
        else:
            first[parsed.fingerprint] = item.name
            writer.add(parsed.piece, item.name, item.source, splits[item.piece], item.tier == PERMISSIVE)
            tally.add(parsed.piece, item.source, splits[item.piece])
        progress(done, len(found))
    result = {**tally.result(), "vocabulary": vocabulary.size}
    writer.close(result)
    if not result["pieces"]:
        raise TrainingError(f"none of the {len(found)} files can be used: {dict(tally.skipped)}")
    (Path(out) / "summary.txt").write_text(as_text(result) + "\n")
    return result


def _unfit(piece: PieceTokens | None, options: PrepareOptions) -> str:
    if piece is None or not piece.bodies:
        return "no notes"
    if len(piece.metres) < options.min_bars:
        return f"fewer than {options.min_bars} bars"
    if piece.notes < options.min_notes:
        return f"fewer than {options.min_notes} notes"
    return "" if any(metre >= 0 for metre in piece.metres) else "no metre the encoder knows"


def _splits(found: list[Found], valid_share: float) -> dict[str, str]:
    """The split of each piece: the manifest's, else by its name."""
    given = {item.piece: item.split for item in found if item.split in SPLITS}
    free = {item.piece for item in found} - given.keys()
    valid = held_out(free, valid_share)
    return given | {piece: "valid" if piece in valid else "train" for piece in free}


# ---- parsing, in this process or in several ----


def _parse(found: list[Found], encoder: EncoderConfig, options: PrepareOptions) -> Iterator[tuple[Found, _Parsed]]:
    jobs = ((item, item.place if not item.member else data) for item, data in _contents(found))
    if options.processes < 2:
        _start(encoder, options.any_key)
        yield from ((item, _read(job)) for item, job in jobs)
        return
    with ProcessPoolExecutor(options.processes, initializer=_start, initargs=(encoder, options.any_key)) as pool:
        waiting: deque[tuple[Found, Future[_Parsed]]] = deque()
        for item, job in jobs:
            waiting.append((item, pool.submit(_read, job)))
            if len(waiting) >= 16 * options.processes:
                head, future = waiting.popleft()
                yield head, future.result()
        for head, future in waiting:
            yield head, future.result()


def _contents(found: list[Found]) -> Iterator[tuple[Found, bytes]]:
    plain = [item for item in found if not item.member]
    yield from ((item, b"") for item in plain)  # workers read these themselves
    yield from read_bytes(item for item in found if item.member)


_WORKER: dict[str, Any] = {}


def _start(encoder: EncoderConfig, any_key: bool) -> None:
    _WORKER.update(vocabulary=Vocabulary(encoder), any_key=any_key)


def _read(job: bytes | str) -> _Parsed:
    vocabulary: Vocabulary = _WORKER["vocabulary"]
    try:
        piece = tokenise_file(job, vocabulary)
    except (MidiGptError, OSError) as error:
        return _Parsed(None, reason=_short(error, job))
    return _Parsed(piece, fingerprint(piece, vocabulary, _WORKER["any_key"]))


def _short(error: Exception, job: bytes | str) -> str:
    """The error's kind and its sentence without the file's own name, so that equal reasons are counted together."""
    text = str(error)
    if isinstance(job, str):
        text = text.replace(job, "the file").removeprefix("the file: ")
    return f"{type(error).__name__}: {text[:100]}"
