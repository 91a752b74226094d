"""Say what is wrong with a request in the words of the command line: options, and tracks and bars counted from 1."""

from __future__ import annotations

import re

from midigpt_cli.options.dataclass_options import option_of
from midigpt_core.errors import RequestValidationError

_SETTING = re.compile(r"^config\.(\w+)")
_PIECE = re.compile(r"^controls\.(\w+)")
_TRACK = re.compile(r"^tracks\[(\d+)\]\.")
_BAR = re.compile(r"\bbar_(?:attributes|controls)\[(\d+)\]\.")


def in_option_names(error: RequestValidationError) -> RequestValidationError:
    """The same error; its field stays as requests name it."""
    words = _SETTING.sub(lambda found: option_of(found[1]), str(error))
    words = _PIECE.sub(lambda found: option_of(found[1]), words)
    words = _TRACK.sub(lambda found: f"track {int(found[1]) + 1}: ", words)
    words = _BAR.sub(lambda found: f"bar {int(found[1]) + 1}: ", words)
    return RequestValidationError(words, error.field, error.value, error.remedy)
