"""Multimodal scripts: conversations with speech, emotion, motion and the listener's reaction, made from topics and a store.

:mod:`.script` holds what is written, :mod:`.topics` and :mod:`.filtering` what is talked about, :mod:`.motions` the clips
that are performed, :mod:`.rounds` and :mod:`.rules` the two kinds of author, :mod:`.run` puts them together.
"""
