"""New notes that fit what the other tracks play: what sounds around a bar, and which pitches that speaks for."""
