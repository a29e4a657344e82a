"""The built-in figure, made in code: its surface, its face and its skin weights."""
