"""Clips become Actions and Actions become clips: keys, curves, loops and splices."""
