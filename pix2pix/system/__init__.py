"""What every stage needs and no stage is about.

In: paths, bytes, signals.
Out: files that appear whole or not at all, checksums, one-line errors, progress bars.
May import: nothing.
"""
