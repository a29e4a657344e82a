"""Two characters who talk to each other: from a screenplay to two motions in one world, and their sound."""
