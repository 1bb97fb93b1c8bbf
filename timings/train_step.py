"""Compare the full-size training step with the same networks in plain PyTorch, alternating in one run.

    pip install torch==2.13.0; python timings/train_step.py [--steps 10]

Each side runs in its own process and waits while the other works. PyTorch is measured in float32 with
its default and its channels_last memory layout, and with bfloat16 autocast in channels_last; ours in float32,
and in bf16 where that is installed (make bf16). Ours has its memory in huge pages, as in the workflow, and is also
measured without them; PyTorch in float32 is measured as it comes, and with huge pages. Prints milliseconds per step
(median), GFLOP/s, the percentage of the machine's measured rate of float32 matrix multiplication, and ratios (the
median of those of single rounds; below 1: ours is faster).
"""

import argparse
import importlib.metadata
import math
import multiprocessing
import os
import statistics
import time
from pathlib import Path

import numpy as np

SIDES = ("ours", "ours, small pages", "ours bf16", "torch", "torch, huge pages", "torch channels_last")
SIDES += ("torch channels_last, huge pages", "torch bfloat16", "multiply")


def run_side(connection, side: str, batch: int) -> None:
    """Do a step for every message and reply with its seconds (in a separate process)."""
    # the library of each side is imported only in its process
    work = {
        "ours": ours,
        "ours, small pages": ours,
        "ours bf16": ours_bfloat16,
        "torch": torch_default,
        "torch, huge pages": torch_default,
        "torch channels_last": torch_channels_last,
        "torch channels_last, huge pages": torch_channels_last,
        "torch bfloat16": torch_bfloat16,
        "multiply": multiply_rate,
    }
    do_step = work[side](batch)
    do_step()
    while connection.recv():
        start = time.perf_counter()
        do_step()
        connection.send(time.perf_counter() - start)


def images(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets."""
    random = np.random.default_rng(0)
    return tuple(random.uniform(-1, 1, (batch, 3, 256, 256)).astype(np.float32) for _ in range(2))


def ours(batch: int, precision: str = "float32"):
    """Return the step of pix2pix.training.step at full size."""
    import mindspore as ms  # noqa: PLC0415 (only in this side's process)

    from pix2pix.config.settings import TrainSettings  # noqa: PLC0415
    from pix2pix.training.step import Trainer  # noqa: PLC0415

    trainer = Trainer(TrainSettings(batch_size=batch, precision=precision))
    x, y = map(ms.Tensor, images(batch))
    rate = ms.Tensor(0.0002, ms.float32)
    return lambda: trainer.step(x, y, rate).asnumpy()


def ours_bfloat16(batch: int):
    """Return the same step with convolutions in bfloat16."""
    return ours(batch, "bf16")


def torch_default(batch: int, channels_last: bool = False, bfloat16: bool = False):
    """Return the same step in PyTorch."""
    import torch  # noqa: PLC0415 (only in this side's process)
    from torch_pix2pix import Trainer  # noqa: PLC0415

    trainer = Trainer(channels_last, bfloat16=bfloat16)
    x, y = (torch.from_numpy(array).contiguous(memory_format=trainer.layout) for array in images(batch))
    return lambda: trainer.step(x, y)


def torch_channels_last(batch: int):
    """Return the same step in PyTorch with the channels_last memory layout."""
    return torch_default(batch, True)


def torch_bfloat16(batch: int):
    """Return the same step in PyTorch with bfloat16 autocast and the channels_last memory layout."""
    return torch_default(batch, True, True)


def multiply_rate(_batch: int):
    """Return a float32 matrix multiplication of 2 * 2048^3 operations in PyTorch: the peak rate of the machine."""
    import torch  # noqa: PLC0415 (only in this side's process)

    a = torch.ones(2048, 2048)
    return lambda: a @ a


def step_gflop(batch: int, side: str) -> float:
    """Floating-point operations of the convolutions of one step in GFLOP, counting a multiply-add as two.

    In our step, both losses share the discriminator's forward pass on the generated image, and in float32 some
    convolutions are matrix multiplications of tiles. The transforms are not counted.
    """
    tiled = batch if side in ("ours", "ours, small pages") else 0
    filters = [64 * min(2**level, 8) for level in range(8)]
    down = sum(multiplications(filters[i - 1] if i else 3, filters[i], 128 >> i, tiled) for i in range(8))
    joined = [2 * f for f in filters[:7]] + [filters[7]]
    up = sum(multiplications(joined[i], filters[i - 1] if i else 3, 128 >> i, tiled) for i in range(8))
    classify = sum(multiplications(*sizes, tiled) for sizes in ((6, 64, 128), (64, 128, 64), (128, 256, 32)))
    classify += 256 * 512 * (49 * 8**2 if tiled else 16 * 31**2) + 16 * 512 * 30**2
    # generator: forward and both gradients; discriminator: the same twice, plus forward (PyTorch only) and the
    # gradient with respect to its input, for the generator
    return 2 * batch * (3 * (down + up) + 2 * 3 * classify + (1 if side.startswith("ours") else 2) * classify) / 1e9


def multiplications(channels: int, filters: int, size: int, tiled: int) -> int:
    """Multiplications of a convolution of stride 2 for one image, `size` on its smaller side.

    `tiled` is the batch size, or 0 where no layer computes in tiles (pix2pix.model.layers.tiles_pay_off).
    """
    tiles = math.ceil(size / 4) ** 2
    pays_off = min(channels, filters) >= 128 and size <= 32 and tiled * tiles >= max(64, channels * filters // 2048)
    return channels * filters * (100 * tiles if tiled and pays_off else 16 * size**2)


def installed(package: str) -> bool:
    """Whether a Python package is installed."""
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def environment(side: str) -> dict[str, str]:
    """The variables with which a side starts, as the workflow and pix2pix.devices.check set them for a training."""
    # not imported: the variables of pix2pix are not for PyTorch
    huge_pages = side in ("ours", "ours bf16") or side.endswith("huge pages")
    tunables = {"GLIBC_TUNABLES": f"glibc.malloc.hugetlb={int(huge_pages)}"}
    return tunables | ({"OMP_WAIT_POLICY": "PASSIVE"} if side == "ours bf16" else {})


def measure(batch: int, steps: int) -> None:
    """Alternate between the sides and print the results."""
    spawn = multiprocessing.get_context("spawn")
    sides = {}
    for side in SIDES:
        multiplies = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
        if side == "ours bf16" and not (multiplies and installed("onednn-cpu-gomp")):
            continue
        here, there = spawn.Pipe()
        before = dict(os.environ)
        os.environ |= environment(side)
        spawn.Process(target=run_side, args=(there, side, batch), daemon=True).start()
        os.environ.clear()
        os.environ.update(before)
        there.close()  # so that a side that fails ends this program
        sides[side] = here
    seconds = {side: [] for side in sides}
    for step in range(steps + 1):
        for side, connection in sides.items():
            # until the threads of the side before, which wait for more work in a loop, have given up
            time.sleep(0.1)
            connection.send(True)
            taken = connection.recv()
            if step:
                seconds[side].append(taken)
    for connection in sides.values():
        connection.send(False)
    rate = 2 * 2048**3 / 1e9 / min(seconds.pop("multiply"))
    print(f"batch {batch}: the machine multiplies at {rate:.0f} GFLOP/s, load {os.getloadavg()[0]:.1f}")
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    for side, median in medians.items():
        gflop = step_gflop(batch, side)
        speed = gflop / median
        print(f"  {side:31} {1000 * median:7.0f} ms/step (best {1000 * min(seconds[side]):.0f})", end="")
        print(f" {gflop:5.0f} GFLOP {speed:6.0f} GFLOP/s {100 * speed / rate:4.0f} %")
    print(f"  ratio ours / ours, small pages: {ratio(seconds, 'ours', 'ours, small pages'):.2f}")
    for how in ("", ", huge pages"):
        better = max(ratio(seconds, "ours", f"{side}{how}") for side in ("torch", "torch channels_last"))
        print(f"  ratio ours / better of PyTorch in float32{how}: {better:.2f}")
    for side in sorted({"ours", "ours bf16"} & medians.keys()):
        print(f"  ratio {side} / PyTorch in bfloat16: {ratio(seconds, side, 'torch bfloat16'):.2f}", flush=True)


def ratio(seconds: dict[str, list[float]], ours: str, theirs: str) -> float:
    """The median ratio of two steps that followed each other, because the speed of a shared machine changes."""
    return statistics.median(own / other for own, other in zip(seconds[ours], seconds[theirs], strict=True))


def main() -> None:
    """Measure at batch 1 and 4."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10, help="steps per side (default: 10)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="batch sizes (default: 1 4)")
    arguments = parser.parse_args()
    for batch in arguments.batches:
        measure(batch, arguments.steps)


if __name__ == "__main__":
    main()
