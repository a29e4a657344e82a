"""Bodies in Blender: the built-in one, the user's SMPL-X model, and any armature that carries SMPL-X names."""
