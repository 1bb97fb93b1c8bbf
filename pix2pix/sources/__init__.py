"""Readers of published datasets.

In: an archive or a folder.
Out: the names and contents of its files, one after the other; no name leads outside the target folder.
May import: system.
"""
