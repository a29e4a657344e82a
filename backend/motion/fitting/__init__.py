"""Fitting our skeleton to bare joint positions, and the layouts that published positions and features have."""
