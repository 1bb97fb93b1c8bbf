"""Utilities shared by all stages.

In: paths, bytes, signals.
Out: files written atomically, checksums, one-line errors, progress bars.
May import: nothing.
"""
