"""Data pipeline: from an archive or a folder to batches.

In: archives, folders of A|B images.
Out: checked images, MindRecord files, arrays for training and prediction.
May import: system, config, sources.
"""
