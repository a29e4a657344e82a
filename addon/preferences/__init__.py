"""Preferences: engine, device, packs, body models, cache, and what is installed."""
