"""Clips found by meaning."""
