"""Windows of bars to token ids and back, for any MIDI-GPT encoder configuration."""
