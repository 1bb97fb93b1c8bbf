"""What a generator is worth.

In: a checkpoint and MindRecord files.
Out: predictions, scores with intervals, comparisons of runs, published numbers.
May import: system, config, data, model.
"""
