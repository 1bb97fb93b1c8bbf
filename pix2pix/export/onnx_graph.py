"""The generator as an ONNX graph, written from its weights (pix2pix.model.networks.Generator).

MindSpore's own exporter writes transposed convolutions that onnxruntime refuses. Batch statistics of a single image are
instance normalisation, so each image of a batch gives the same output as alone. Height and width are dynamic.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pix2pix.config.settings import GeneratorSettings

OPSET, IR_VERSION = 17, 8  # of 2022, which current runtimes, also those in browsers, support
EPSILON = 1e-5  # of both kinds of normalisation
# one mirrored pixel at each edge; with one pixel, "symmetric" is the repetition of the edge
PAD_MODES = {"REFLECT": "reflect", "SYMMETRIC": "edge"}
INPUT, OUTPUT = "input", "output"


def onnx_model(settings: GeneratorSettings, weights: Mapping[str, np.ndarray], about: str) -> onnx.ModelProto:
    """Build the graph.

    Args:
        settings: the architecture; without dropout, which has no counterpart at inference.
        weights: the generator's parameters, float32, with the names of the network.
        about: a description, stored in the file's metadata.

    Returns:
        a model from `input`, (N, g_in_planes, H, W), to `output`, (N, g_out_planes, H, W), float32 in [-1, 1]; H and
        W are multiples of 2^g_layers.
    """
    graph = _Graph(settings, weights)
    graph.add("Identity", [graph.level(0, "model", INPUT)], outputs=[OUTPUT])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "height", "width"])
        for name, channels in ((INPUT, settings.g_in_planes), (OUTPUT, settings.g_out_planes))
    ]
    made = helper.make_graph(graph.nodes, "pix2pix", ends[:1], ends[1:], graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pix2pix")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, {"pix2pix": about})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """The nodes and constants of a graph while it is built; tensors are named by the node that makes them."""

    def __init__(self, settings: GeneratorSettings, weights: Mapping[str, np.ndarray]):
        self.settings, self.weights = settings, weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        outputs = outputs or [f"{kind}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))
        return outputs[0]

    def constant(self, name: str, array: np.ndarray) -> str:
        """Append a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def level(self, level: int, prefix: str, x: str) -> str:
        """A level of the U-Net (networks.UnetBlock) and those below; `prefix` is its name in the network."""
        settings, own, index = self.settings, f"{prefix}.model", 0
        innermost = level == settings.g_layers - 1
        out = x
        if level:
            out, index = self.add("LeakyRelu", [out], alpha=settings.alpha), 1
        if settings.pad_mode != "CONSTANT":
            pads = self.constant(f"{own}.{index}.pads", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
            out, index = self.add("Pad", [out, pads], mode=PAD_MODES[settings.pad_mode]), index + 1
        padding = [1, 1, 1, 1] if settings.pad_mode == "CONSTANT" else [0, 0, 0, 0]
        out, index = self.convolution("Conv", f"{own}.{index}", out, padding), index + 1
        if not innermost:
            if level:
                out, index = self.norm(f"{own}.{index}", out), index + 1
            out, index = self.level(level + 1, f"{own}.{index}", out), index + 1
        out, index = self.add("Relu", [out]), index + 1
        out, index = self.convolution("ConvTranspose", f"{own}.{index}", out, [1, 1, 1, 1]), index + 1
        if not level:
            return self.add("Tanh", [out])
        out = self.norm(f"{own}.{index}", out)
        return self.add("Concat", [out, x], axis=1) if settings.skip_connections else out

    def convolution(self, kind: str, name: str, x: str, pads: list[int]) -> str:
        """A 4x4 convolution of stride 2, or a transposed one."""
        inputs = [x, self.constant(f"{name}.weight", self.weights[f"{name}.weight"])]
        if f"{name}.bias" in self.weights:
            inputs.append(self.constant(f"{name}.bias", self.weights[f"{name}.bias"]))
        return self.add(kind, inputs, kernel_shape=[4, 4], strides=[2, 2], pads=pads)

    def norm(self, name: str, x: str) -> str:
        """Normalisation with the statistics of each image."""
        if self.settings.norm == "instance":
            # the channels of what it normalises: those of the convolution before it
            channels = self.channels_before(name)
            gamma, beta = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        else:
            gamma, beta = self.weights[f"{name}.gamma"], self.weights[f"{name}.beta"]
        inputs = [x, self.constant(f"{name}.gamma", gamma), self.constant(f"{name}.beta", beta)]
        return self.add("InstanceNormalization", inputs, epsilon=EPSILON)

    def channels_before(self, name: str) -> int:
        """The channels of the convolution that comes directly before the layer `name`."""
        prefix, index = name.rsplit(".", 1)
        return len(self.weights[f"{prefix}.{int(index) - 1}.bias"])
