"""Trained stages become a pack, and a pack stages again."""
