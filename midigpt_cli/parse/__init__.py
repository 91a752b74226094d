"""Text to requests: bars, tracks, pitches, instruments."""
