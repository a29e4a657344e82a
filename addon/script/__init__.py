"""The script: several prompts on the timeline, performed as one continuous motion."""
