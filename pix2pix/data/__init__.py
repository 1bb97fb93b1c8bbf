"""Data pipeline: from an archive or a folder to batches.

In: addresses, archives, folders of A|B images.
Out: verified archives and images, MindRecord files, arrays for training and prediction.
May import: system, config.
"""
