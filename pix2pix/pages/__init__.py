"""Images and HTML pages for people to look at.

In: images, histories, scores.
Out: grids, loss curves, galleries, one page per run, a summary of all runs.
May import: system, evaluation.
"""
