"""Turn a folder of MIDI files into shards of tokens, and shards into a model."""
