"""The demo dataset, drawn by a program.

In: a seed and the number of pairs.
Out: an archive of facades and their label maps, in the published layout.
May import: system.
"""
