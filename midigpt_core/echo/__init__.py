"""Repetition of the piece: which bars may be repeated, how likely each is, and the mixture with the model."""
