"""Takes: clips offered to the animator, previewed, compared, kept or thrown away."""
