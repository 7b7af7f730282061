"""Loads a catalogue into a running platform, through its HTTP API only."""
