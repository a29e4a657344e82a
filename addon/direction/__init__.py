"""Direction: paths, waypoints, pins and key poses as ordinary Blender objects."""
