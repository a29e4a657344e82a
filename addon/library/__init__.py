"""The library: folders of clips searched by meaning, clips in words, clips as Blender assets."""
