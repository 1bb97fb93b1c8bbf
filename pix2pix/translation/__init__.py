"""Translation of lone images, without targets: the Python API and scripts/translate.py.

In: a generator's checkpoint, and images as files, PIL images or arrays.
Out: images of the same size.
May import: system, config, data, model, evaluation.
"""
