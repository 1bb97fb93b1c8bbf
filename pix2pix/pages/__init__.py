"""What people look at.

In: images, histories, scores.
Out: grids, loss curves, galleries, a page for a run, a summary of runs.
May import: system, evaluation.
"""
