"""Training of one run.

In: settings, MindRecord files, folders.
Out: checkpoints, loss history, sample images, a saved state from which training resumes.
May import: system, config, data, model, distributed, evaluation, pages, monitoring.
"""
