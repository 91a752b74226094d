"""Accompaniment bar by bar over Open Sound Control, with the addresses of MIDI-GPT's own server."""
