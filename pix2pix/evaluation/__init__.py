"""Evaluation of generators.

In: a checkpoint and MindRecord files.
Out: predictions, scores with confidence intervals, comparisons of runs, published numbers.
May import: system, config, data, model.
"""
