"""Draw tokens for many lanes at once: filters, callers' preferences, checks, and the decoder."""
