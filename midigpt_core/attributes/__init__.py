"""Musical attributes: one per file, and the table of those an encoder knows."""

from midigpt_core.attributes.attribute_table import ATTRIBUTES, AttributeTable, make_attribute, make_attributes
from midigpt_core.attributes.base import Attribute

__all__ = ["ATTRIBUTES", "Attribute", "AttributeTable", "make_attribute", "make_attributes"]
