"""A page that runs an exported generator in a browser.

In: the ONNX file of a generator, its predictions, and the runtime for browsers.
Out: one HTML file.
May import: system, evaluation, pages.
"""
