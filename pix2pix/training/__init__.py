"""The training of one run.

In: settings, MindRecord files, folders.
Out: checkpoints, a history of losses, samples, a state from which the next start resumes.
May import: system, config, data, model, distributed, evaluation, pages.
"""
