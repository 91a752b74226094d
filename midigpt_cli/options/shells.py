"""Completion in bash, which cuts words at colons and ends them at spaces."""

from __future__ import annotations

import os
import re
from typing import Any

ASKED = "_MIDIGPT_COMPLETE"  # set while a shell asks for words
_BREAKS = ":="  # where bash cuts a word in two


def prepare() -> None:
    """Let the parser answer bash as below."""
    from typer import _completion_classes as classes

    known: Any = classes.BashComplete

    class Bash(known):  # type: ignore[misc]
        """Puts together what bash cut, and hands back only what comes after the last cut."""

        def get_completion_args(self) -> tuple[list[str], str]:
            pieces = os.environ["COMP_WORDS"].split("\n")  # as bash cut them; typer's script joins them so
            words = joined(pieces[1 : int(os.environ["COMP_CWORD"]) + 1])
            self.quoted = words[-1:] != [] and words[-1][:1] in ("'", '"')
            *args, self.typed = [_unquoted(word) for word in words] or [""]
            return args, self.typed

        def format_completion(self, item: Any) -> str:
            word = str(item.value)
            head = self.typed[: max(self.typed.rfind(mark) for mark in _BREAKS) + 1]
            word = word.removeprefix(head)
            return word if self.quoted else re.sub(r"([\s()'\"&;$#])", r"\\\1", word)

    classes.BashComplete = Bash  # type: ignore[misc]


def joined(words: list[str]) -> list[str]:
    """Words as they were typed, from pieces cut at colons and equals signs: A, :, min is A:min."""
    whole: list[str] = []
    glue = False
    for word in words:
        mark = bool(word) and not word.strip(_BREAKS)
        if whole and (mark or glue):
            whole[-1] += word
        else:
            whole.append(word)
        glue = mark
    return whole


def _unquoted(word: str) -> str:
    """A word without its quotes and backslashes, closed or not."""
    return re.sub(r"\\(.)|['\"]", r"\1", word)
