"""Pose sequences repaired and performed in a style."""
