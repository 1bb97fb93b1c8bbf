"""pix2pix in float64, implemented from the equations of the papers without any code of pix2pix/. Needs torch.

Isola et al. 2017: U-Net, PatchGAN (section 3.2, appendix 6.1) and losses (equations 1 to 4). Kingma and
Ba 2015: Adam, in the form at the end of section 2. Parameters have the same names as in the published
MindSpore checkpoints, because the modules are nested in the same way.
"""

import numpy as np
import torch
from seeded import images, mask, starting_value
from torch import nn
from torch.nn import functional

EPSILON = 1e-5  # of normalisation


class Rectify(nn.Module):
    """x where it is positive, else alpha x."""

    def __init__(self, alpha: float):
        super().__init__()
        self.alpha = alpha

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x, self.alpha * x)


class Border(nn.Module):
    """Mirror padding of one pixel, with the edge repeated (SYMMETRIC) or not (REFLECT)."""

    def __init__(self, mode: str):
        super().__init__()
        self.inset = {"SYMMETRIC": 0, "REFLECT": 1}[mode]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for dim in (2, 3):
            last = x.shape[dim] - 1
            x = x.index_select(dim, torch.tensor([self.inset, *range(last + 1), last - self.inset]))
        return x


class BatchNorm(nn.Module):
    """Normalisation by mean and (biased) variance over images and pixels, then gamma and beta."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("moving_mean", torch.zeros(channels))
        self.register_buffer("moving_variance", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        scaled = (x - mean) / (variance + EPSILON).sqrt()
        return self.gamma.view(1, -1, 1, 1) * scaled + self.beta.view(1, -1, 1, 1)


class InstanceNorm(nn.Module):
    """Normalisation by mean and (biased) variance over the pixels of each image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((2, 3), keepdim=True)
        return (x - mean) / (variance + EPSILON).sqrt()


class Dropout(nn.Module):
    """Multiplication by a given mask."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.register_buffer("kept", torch.ones(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.kept


def norm(case: dict, channels: int) -> nn.Module:
    return InstanceNorm() if case["norm"] == "instance" else BatchNorm(channels)


def convolution(case: dict, channels: int, filters: int, stride: int) -> list[nn.Module]:
    """A 4x4 convolution with padding 1; it has a bias if the normalisation has no beta."""
    bias = case["norm"] == "instance"
    if case["pad_mode"] == "CONSTANT":
        return [nn.Conv2d(channels, filters, 4, stride, 1, bias=bias)]
    return [Border(case["pad_mode"]), nn.Conv2d(channels, filters, 4, stride, 0, bias=bias)]


class Level(nn.Module):
    """Downsampling, the levels below, upsampling; with a skip connection except at the outermost level."""

    def __init__(self, case: dict, level: int):
        super().__init__()
        widths = [case["g_ngf"] * min(2**deep, 8) for deep in range(case["g_layers"])]
        inner, innermost = widths[level], level == case["g_layers"] - 1
        channels, outer = (widths[level - 1],) * 2 if level else (case["g_in_planes"], case["g_out_planes"])
        joined = inner if innermost or not case["skip_connections"] else 2 * inner
        layers = [Rectify(case["alpha"])] if level else []
        layers += convolution(case, channels, inner, 2)
        if level and not innermost:
            layers.append(norm(case, inner))
        if not innermost:
            layers.append(Level(case, level + 1))
        layers += [Rectify(0), nn.ConvTranspose2d(joined, outer, 4, 2, 1, bias=case["norm"] == "instance")]
        layers.append(norm(case, outer) if level else nn.Tanh())
        if case["dropout"] and 4 <= level < case["g_layers"] - 1:
            size = case["train_pic_size"] // 2**level
            layers.append(Dropout((case["batch_size"], outer, size, size)))
        self.model = nn.Sequential(*layers)
        self.joins = level > 0 and case["skip_connections"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.model(x)
        return torch.cat((out, x), 1) if self.joins else out


class Generator(nn.Module):
    """U-Net, or an encoder-decoder without skip connections."""

    def __init__(self, case: dict):
        super().__init__()
        self.model = Level(case, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Unit(nn.Module):
    """Layers under the name that they have in the published discriminator."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.features = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x)


def discriminator(case: dict) -> Unit:
    """PatchGAN: d_layers + 2 convolutions, the last two with stride 1; a PixelGAN if d_layers is 0."""
    alpha, width, deep = case["alpha"], case["d_ndf"], case["d_layers"]
    if deep == 0:
        bias = case["norm"] == "instance"
        sizes = ((case["d_in_planes"], width), (width, 2 * width), (2 * width, 1))
        first, middle, last = (nn.Conv2d(channels, filters, 1, bias=bias) for channels, filters in sizes)
        return Unit(first, Rectify(alpha), Unit(middle, norm(case, 2 * width), Rectify(alpha)), last)
    widths = [width * min(2**layer, 8) for layer in range(deep + 1)]
    layers = [*convolution(case, case["d_in_planes"], width, 2), Rectify(alpha)]
    for layer in range(1, deep + 1):
        stride = 1 if layer == deep else 2
        convolved = convolution(case, widths[layer - 1], widths[layer], stride)
        layers.append(Unit(*convolved, norm(case, widths[layer]), Rectify(alpha)))
    return Unit(*layers, *convolution(case, widths[-1], 1, 1))


class Adam:
    """w <- w - lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + 1e-8)."""

    def __init__(self, network: nn.Module, case: dict):
        self.weights = list(network.parameters())
        self.first = [torch.zeros_like(weight) for weight in self.weights]
        self.second = [torch.zeros_like(weight) for weight in self.weights]
        self.lr, self.beta1, self.beta2, self.time = case["lr"], case["beta1"], case["beta2"], 0

    @torch.no_grad()
    def update(self, gradients: list[torch.Tensor]) -> None:
        """One step along the gradients."""
        self.time += 1
        rate = self.lr * (1 - self.beta2**self.time) ** 0.5 / (1 - self.beta1**self.time)
        for weight, m, v, gradient in zip(self.weights, self.first, self.second, gradients, strict=True):
            m.copy_(self.beta1 * m + (1 - self.beta1) * gradient)
            v.copy_(self.beta2 * v + (1 - self.beta2) * gradient**2)
            weight -= rate * m / (v.sqrt() + 1e-8)


class Training:
    """Both networks and optimizers of a case, in float64, with initial weights from a seed."""

    def __init__(self, case: dict, seed: int = 0):
        self.case, self.seed = case, seed
        self.networks = {"generator": Generator(case).double(), "discriminator": discriminator(case).double()}
        for kind, network in self.networks.items():
            for name, weight in network.named_parameters():
                weight.data = torch.tensor(starting_value(seed, kind, name, tuple(weight.shape)), dtype=torch.float64)
            for name, buffer in network.named_buffers():
                if name.endswith(".kept"):
                    buffer.copy_(torch.tensor(mask(seed, name, tuple(buffer.shape))))
        self.adams = {kind: Adam(network, case) for kind, network in self.networks.items()}

    def pair(self, step: int) -> list[torch.Tensor]:
        """The input x and target y of a step."""
        channels = {"x": self.case["g_in_planes"], "y": self.case["g_out_planes"]}
        return [torch.tensor(images(self.seed, step, *item, self.case)).double() for item in channels.items()]

    def classify(self, x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Patch logits."""
        return self.networks["discriminator"](torch.cat((x, image), 1) if self.case["conditional"] else image)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[list[float], dict[str, list[torch.Tensor]]]:
        """Update both networks; return the losses d, g, g_gan, g_l1 and the gradients of each network."""
        case, weights = self.case, {kind: list(network.parameters()) for kind, network in self.networks.items()}
        fake = self.networks["generator"](x)
        # the cross-entropy of a logit z is -log sigmoid(z) = softplus(-z) for real, softplus(z) for generated
        on_real, on_fake = self.classify(x, y), self.classify(x, fake.detach())
        d_loss = case["lambda_dis"] * (functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean())
        gradients = {"discriminator": list(torch.autograd.grad(d_loss, weights["discriminator"]))}
        if case["update_order"] == "alternating":
            self.adams["discriminator"].update(gradients["discriminator"])
        gan = functional.softplus(-self.classify(x, fake)).mean()
        l1 = (fake - y).abs().mean()
        g_loss = case["lambda_gan"] * gan + case["lambda_l1"] * l1
        gradients["generator"] = list(torch.autograd.grad(g_loss, weights["generator"]))
        if case["update_order"] == "simultaneous":
            self.adams["discriminator"].update(gradients["discriminator"])
        self.adams["generator"].update(gradients["generator"])
        return [loss.item() for loss in (d_loss, g_loss, gan, l1)], gradients

    @torch.no_grad()
    def generate(self, x: torch.Tensor) -> np.ndarray:
        """The generator's output."""
        return self.networks["generator"](x).numpy()
