"""An ONNX file with its weights in half precision, which halves what a page must carry."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from pix2pix.system.errors import InputError

LEAST_VALUES = 1024  # smaller tensors, those of normalisation, stay as they are
LARGEST = float(np.finfo(np.float16).max)


def half_precision(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Read an exported ONNX file; return it with float16 weights, each followed by a cast to float32, and its settings.

    The casts are computed once, when the file is loaded: the generator still computes in float32.

    Raises:
        InputError: the file is damaged, or a weight exceeds the range of float16.
    """
    try:
        model = onnx.load_model(path)
        settings = json.loads({entry.key: entry.value for entry in model.metadata_props}["pix2pix"])["generator"]
    except (DecodeError, KeyError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete its folder and export again") from None
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST_VALUES:
            continue
        array, name = numpy_helper.to_array(tensor), tensor.name
        if not np.abs(array).max() <= LARGEST:
            raise InputError(f"{path}: {name} has a weight beyond {LARGEST:.0f}, which half precision cannot hold")
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model.SerializeToString(), settings
