"""Recorded voices: manifests of speech sets, and voices as codes."""
