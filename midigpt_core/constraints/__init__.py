"""What may be written: a caller's controls and attributes, as constraints on tokens."""
