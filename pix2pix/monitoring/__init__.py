"""What a training shows while it runs.

In: the position of a training, its losses, and the generator.
Out: training.html, samples, losses within epochs, event files for TensorBoard.
May import: system, config, data, evaluation, pages.
"""
