"""Packs: found, installed, and what they are made of and know."""
