"""Two characters who talk to each other, in a scene."""
