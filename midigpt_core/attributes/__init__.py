"""Musical controls: one per file, and the table of those an encoder knows."""

from midigpt_core.attributes.base import Control
from midigpt_core.attributes.table import CONTROLS, AttributeTable, make_control, make_controls

__all__ = ["CONTROLS", "AttributeTable", "Control", "make_control", "make_controls"]
