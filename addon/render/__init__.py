"""Pictures and films of a motion, in a stage of their own."""
