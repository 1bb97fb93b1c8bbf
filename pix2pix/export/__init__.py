"""Export of a trained generator for other programs: ONNX, MindIR, safetensors, and a model card.

In: a checkpoint, and the predictions made with it, which each exported file is compared with.
Out: a folder.
May import: system, config, data, model, evaluation.
"""
