"""A character that a user talks to: what it says, remembers and does."""
