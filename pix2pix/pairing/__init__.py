"""Pairs of images that lie in separate files.

In: two folders with equal names, or a list of pairs (CSV).
Out: an archive of A|B images in splits, and a table of what was left out.
May import: system, config, sources, data.
"""
