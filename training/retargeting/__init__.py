"""Motion from any skeleton onto the 55 joints of SMPL-X, and checked."""
