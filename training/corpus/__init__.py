"""What the stages train on: motions, segments, styles, weights."""
