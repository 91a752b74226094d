"""Bars of the piece said again: which may be, how likely each is, and the mixture with the model."""
