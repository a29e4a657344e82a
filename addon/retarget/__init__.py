"""Clips on the animator's own rigs, and back."""
