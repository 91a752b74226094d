"""Music heard and seen: MIDI to audio and pictures, and audio to MIDI."""
