"""The Perform panel: what the animator asks for, and the job that answers it."""
