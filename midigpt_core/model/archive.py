"""Read a torch archive, a zip of a pickle and its numbers, without running anything that is in it.

Neither torch's loader nor TorchScript's is used: both have run code of the file's before.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from midigpt_core.errors import CheckpointError, short

if TYPE_CHECKING:
    from torch import Tensor

_MOST_CODE = 16 << 20  # bytes of program text that are looked at
_MOST_VALUES = 200_000  # plain values beside the weights
_DEEPEST = 40
_OPCODES = (
    {"PROTO", "STOP", "MARK", "POP", "POP_MARK", "GLOBAL", "REDUCE", "BUILD", "NEWOBJ", "BINPERSID"}
    | {"NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
    | {"BINUNICODE", "SHORT_BINSTRING", "BINSTRING", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM"}
    | {"SETITEMS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
    | {"BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
)
_STORED = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_FAULTS = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, pickle.UnpicklingError),
    *(TypeError, ValueError, LookupError, AttributeError, OverflowError, RuntimeError, struct.error),
)


class Module:
    """A module of a TorchScript program: its attributes alone, and none of its code."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


class _Kind(NamedTuple):
    """What the numbers of a storage are, by the name of their torch type."""

    dtype: str


def is_program(file: Path) -> bool:
    """Whether this is a TorchScript archive: those alone keep a table of constants. Raises CheckpointError."""
    with _opened(file) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def read_object(file: Path) -> Any:
    """The object that was saved, of plain values, tensors and `Module`s only. Raises CheckpointError."""
    with _opened(file) as archive:
        root = _root(file, archive)
        data = archive.read(f"{root}data.pkl")
        _check_opcodes(file, data)
        return _ArchiveReader(file, archive, root).load(data)


def read_code(file: Path) -> Iterator[str]:
    """The program texts of a TorchScript archive, to be looked at. Raises CheckpointError."""
    left = _MOST_CODE
    with _opened(file) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".py") and "/code/" in entry.filename:
                with archive.open(entry) as stream:
                    text = stream.read(left + 1)
                left -= len(text)
                if left < 0:
                    raise CheckpointError(f"{file}: refused: more than {_MOST_CODE >> 20} MiB of program text in it")
                yield text.decode("utf-8", "replace")


def plain(file: Path, value: Any) -> Any:
    """A copy of plain values (numbers, words, lists, objects), of bounded size. Raises CheckpointError."""
    left = [_MOST_VALUES]

    def copy(value: Any, depth: int) -> Any:
        left[0] -= 1
        if left[0] < 0 or depth > _DEEPEST:
            raise CheckpointError(f"{file}: refused: its settings are nested too deeply, or too many")
        if isinstance(value, dict):
            return {copy(key, depth + 1): copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [copy(item, depth + 1) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise CheckpointError(f"{file}: refused: {short(value)} among its settings is not a plain value")

    return copy(value, 0)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, once nothing in it that is read claims to be larger than the file; whatever fails, a sentence."""
    try:
        with zipfile.ZipFile(file) as archive:
            stored = [entry for entry in archive.infolist() if not _is_text(entry.filename)]
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in stored)
            if packed or sum(entry.file_size for entry in stored) > file.stat().st_size:
                raise CheckpointError(f"{file}: refused: it unpacks to more than it holds, as no torch archive does")
            yield archive
    except CheckpointError:
        raise  # said already what is wrong
    except _FAULTS as error:
        raise CheckpointError(
            f"{file}: refused: truncated, or not a torch archive ({_first_line(error)}); fetch it again"
        ) from error


def _is_text(name: str) -> bool:
    return name.endswith((".py", ".debug_pkl"))


def _root(file: Path, archive: zipfile.ZipFile) -> str:
    """The folder in the archive that everything is in."""
    found = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
    if found is None:
        raise CheckpointError(f"{file}: refused: not a torch archive: no data.pkl in it")
    root = found[: -len("data.pkl")]
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise CheckpointError(f"{file}: refused: its numbers are big-endian; save it again on another machine")
    return root


def _check_opcodes(file: Path, data: bytes) -> None:
    """Only what torch itself writes: no other way to make objects, no table larger than the file."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in _OPCODES:
            raise CheckpointError(f"{file}: refused: its pickle holds {opcode.name}, which torch does not write")
        if opcode.name in ("BINPUT", "LONG_BINPUT") and int(argument or 0) > len(data):
            raise CheckpointError(f"{file}: refused: its pickle numbers its objects beyond its own size")


class _ArchiveReader:
    """Reads one archive. What its pickle may call are methods of this object, and harmless."""

    def __init__(self, file: Path, archive: zipfile.ZipFile, root: str) -> None:
        self.file, self.archive, self.root = file, archive, root
        self._storages: dict[tuple[str, str], Tensor] = {}
        self._known: dict[str, Any] = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": self._parameter,
            "torch.jit._pickle.restore_type_tag": self._first,
            **{f"torch.jit._pickle.build_{kind}list": self._first for kind in ("int", "tensor", "double", "bool")},
            **{f"torch.{name}": _Kind(dtype) for name, dtype in _STORED.items()},
        }

    def load(self, data: bytes) -> Any:
        """The object in a pickle whose opcodes have been checked."""
        find, storage = self._find, self._storage

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                return find(module, name)

            def persistent_load(self, pid: Any) -> Any:
                return storage(pid)

        return Unpickler(io.BytesIO(data)).load()

    def _find(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return type("Module", (Module,), {})  # a class of its own, so that nothing outlives this reading
        known = self._known.get(f"{module}.{name}")
        if known is None:
            raise CheckpointError(
                f"{self.file}: refused: reading it would run {short(f'{module}.{name}')}, not only tensors and plain "
                "values; convert it where you trust it"
            )
        return known

    def _storage(self, pid: Any) -> Tensor:
        import torch

        _, kind, key, _, count = pid
        if not isinstance(kind, _Kind) or not isinstance(key, str):
            raise pickle.UnpicklingError("a storage without a type")
        if (key, kind.dtype) not in self._storages:
            dtype = getattr(torch, kind.dtype)
            raw = bytearray(self.archive.read(f"{self.root}data/{key}"))
            if len(raw) != count * dtype.itemsize:
                raise pickle.UnpicklingError(f"a storage of {short(count)} numbers has {len(raw)} bytes")
            self._storages[key, kind.dtype] = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
        return self._storages[key, kind.dtype]

    def _tensor(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
        """A view of a storage that stays inside it, and holds no number twice."""
        import torch

        if not isinstance(storage, torch.Tensor) or len(size) != len(stride):
            raise pickle.UnpicklingError("a tensor without a storage")
        if any(type(number) is not int or not 0 <= number < 1 << 62 for number in (offset, *size, *stride)):
            raise pickle.UnpicklingError("a tensor whose shape is not made of numbers")
        values = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if values else 0
        if values > len(storage) or (values and last >= len(storage)):
            raise pickle.UnpicklingError(f"a tensor of {short(values)} numbers over {len(storage)} stored ones")
        return storage.as_strided(size, stride, offset)

    def _parameter(self, tensor: Any, *_: Any) -> Any:
        return tensor

    def _first(self, value: Any, *_: Any) -> Any:
        return value


def _first_line(error: BaseException) -> str:
    return short(str(error).strip().split("\n", 1)[0])
