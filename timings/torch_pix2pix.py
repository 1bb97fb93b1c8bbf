"""The same networks and training step in plain PyTorch, as a baseline for the benchmarks. Needs torch 2.13.0."""

import torch
from torch import nn
from torch.nn import functional


def norm(channels: int) -> nn.Module:
    """Batch normalisation."""
    return nn.BatchNorm2d(channels)


class UnetBlock(nn.Module):
    """One level of the U-Net; a skip connection appends its input to its output."""

    def __init__(self, channels: int, inner: int, outer: int, below: nn.Module | None, outermost: bool):
        super().__init__()
        down = nn.Conv2d(channels, inner, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(inner if below is None else 2 * inner, outer, 4, 2, 1, bias=False)
        if outermost:
            layers = [down, below, nn.ReLU(True), up, nn.Tanh()]
        elif below is None:
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, norm(outer)]
        else:
            layers = [nn.LeakyReLU(0.2, True), down, norm(inner), below, nn.ReLU(True), up, norm(outer)]
        self.model = nn.Sequential(*layers)
        self.outermost = outermost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Downsampling, the levels below, upsampling."""
        return self.model(x) if self.outermost else torch.cat([self.model(x), x], 1)


def generator(ngf: int = 64, levels: int = 8) -> nn.Module:
    """The U-Net, as in pix2pix.model.networks.Generator."""
    filters = [ngf * min(2**level, 8) for level in range(levels)]
    block = None
    for level in reversed(range(1, levels)):
        block = UnetBlock(filters[level - 1], filters[level], filters[level - 1], block, False)
    return UnetBlock(3, filters[0], 3, block, True)


def discriminator(ndf: int = 64) -> nn.Module:
    """The 70x70 PatchGAN, as in pix2pix.model.networks.Discriminator."""
    layers = [nn.Conv2d(6, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for channels, filters, stride in ((ndf, 2 * ndf, 2), (2 * ndf, 4 * ndf, 2), (4 * ndf, 8 * ndf, 1)):
        layers += [nn.Conv2d(channels, filters, 4, stride, 1, bias=False), norm(filters), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * ndf, 1, 4, 1, 1, bias=False))


class Trainer:
    """Both networks and optimizers; each step has one forward pass of the generator.

    With `bfloat16`, networks and losses run under autocast; weights and optimizers stay float32.
    """

    def __init__(
        self, channels_last: bool, filters: int = 64, levels: int = 8, lr: float = 0.0002, bfloat16: bool = False
    ):
        self.bfloat16 = bfloat16
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.layout = layout
        self.generator = generator(filters, levels).to(memory_format=layout)
        self.discriminator = discriminator(filters).to(memory_format=layout)
        for network in (self.generator, self.discriminator):
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    nn.init.normal_(parameter, 0.0, 0.02)
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), lr, (0.5, 0.999))
        self.discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), lr, (0.5, 0.999))

    def step(self, x: torch.Tensor, y: torch.Tensor) -> float:
        """Update both networks simultaneously and return the generator's loss."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            return self._step(x, y)

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> float:
        bce = functional.binary_cross_entropy_with_logits
        fake = self.generator(x)
        on_fake = self.discriminator(torch.cat([x, fake.detach()], 1))
        on_real = self.discriminator(torch.cat([x, y], 1))
        d_loss = 0.5 * (bce(on_fake, torch.zeros_like(on_fake)) + bce(on_real, torch.ones_like(on_real)))
        self.discriminator_adam.zero_grad()
        d_loss.backward()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(False)
        logits = self.discriminator(torch.cat([x, fake], 1))
        g_loss = 0.5 * bce(logits, torch.ones_like(logits)) + 100 * functional.l1_loss(fake, y)
        self.generator_adam.zero_grad()
        g_loss.backward()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad_(True)
        self.discriminator_adam.step()
        self.generator_adam.step()
        return g_loss.item()
