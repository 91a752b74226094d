"""Read what a prompt in plain words asks for."""

from midigpt_core.words.reader import LONGEST, mixed, read_prompt
from midigpt_core.words.understood import PromptPart, Understood

__all__ = ["LONGEST", "PromptPart", "Understood", "mixed", "read_prompt"]
