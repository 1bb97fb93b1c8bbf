"""Data parallelism: every worker has a full copy of both networks and reads its own part of each global batch.

Workers are processes started by msrun (pix2pix.distributed.launcher); any other process is the only worker.
Workers exchange data only as sums: with AllReduce, the only collective operation that MindSpore offers
on CPU, GPU and Ascend, or, on the CPU of a single machine, in shared memory, which is faster
(pix2pix.distributed.shared_sum).
"""

import math
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import communication, nn, ops

from pix2pix.distributed.environment import HERE, NODE, SECRET, finished_file
from pix2pix.distributed.shared_sum import SharedSum
from pix2pix.system.cores import bind, physical_cores, share
from pix2pix.system.files import replacing

# tensors of at most this many elements are reduced together: each reduction costs a round trip
SMALL = 1 << 16
SECONDS_FOR_OTHERS = 300


@dataclass(frozen=True)
class Workers:
    """The workers of a training: their number, and the rank of this process (from 0)."""

    number: int = 1
    rank: int = 0
    shared: SharedSum | None = None

    @property
    def first(self) -> bool:
        """Whether this is the worker that writes checkpoints, images, history and states."""
        return self.rank == 0


def is_worker() -> bool:
    """Whether msrun started this process, as a worker or as the scheduler of the workers."""
    return "MS_ROLE" in os.environ


def use_share_of_cores() -> None:
    """Run a worker only on its part of the cores that the workers of this machine were started on."""
    if os.environ.get("MS_ROLE") == "MS_WORKER":
        cores, here = os.sched_getaffinity(0), int(os.environ[HERE])
        bind(share(cores, physical_cores(cores), int(os.environ["RANK_ID"]) % here, here))


def join_workers() -> Workers:
    """Connect to the other workers; a process not started by msrun is the only worker.

    Select the device first. msrun also starts its scheduler from this program: there, this call waits
    until the workers have left, and then exits.
    """
    if not is_worker():
        return Workers()
    if os.environ["MS_ROLE"] == "MS_SCHED" and os.environ.get(NODE, "0") != "0":
        sys.exit(0)  # two nodes on one machine: the scheduler of the first serves both
    communication.init()
    number, rank = communication.get_group_size(), communication.get_rank()
    shares = SECRET in os.environ and ms.get_context("device_target") == "CPU"
    return Workers(number, rank, SharedSum(number, rank, os.environ[SECRET]) if shares else None)


def steps_of_epoch(pairs: int, batch_size: int, workers: Workers) -> int:
    """Global steps of an epoch that reads every pair once; the last step may have fewer pairs."""
    return math.ceil(pairs / (batch_size * workers.number))


def part_of_step(step: int, pairs: int, batch_size: int, workers: Workers) -> tuple[list[int], float]:
    """The pairs that this worker reads at global step `step` (from 0) of an epoch, and their weight.

    A global step covers batch_size x workers positions of the epoch; the rest, in the last step, is
    divided as evenly as possible. A worker's gradient is the mean over its n pairs. Weighted by
    n / (pairs of the global step) and summed over the workers, it is the mean over all pairs.

    Returns:
        positions in the epoch, at least one, and the weight in [0, 1]. A worker without pairs of its own
        has weight 0 and takes part in the sums with an arbitrary pair.
    """
    size = batch_size * workers.number
    begin = step * size
    left = min(size, pairs - begin)
    each, more = divmod(left, workers.number)
    first = begin + workers.rank * each + min(workers.rank, more)
    positions = list(range(first, first + each + (workers.rank < more)))
    return positions or [begin], len(positions) / left


class Sum(nn.Cell):
    """Sum tensors over the workers inside a compiled graph."""

    def __init__(self, shapes: list[tuple[int, ...]], workers: Workers):
        super().__init__()
        self.large: list[int] = []
        self.small: list[tuple[int, int, int, tuple[int, ...]]] = []
        at = 0
        for index, shape in enumerate(shapes):
            size = math.prod(shape)
            if size > SMALL:
                # in reverse: gradients of the last layers are available first
                self.large.insert(0, index)
            else:
                self.small.append((index, at, at + size, shape))
                at += size
        places = self.large + [index for index, *_ in self.small]
        self.places = [places.index(index) for index in range(len(shapes))]
        self.reduce = ops.AllReduce()
        if workers.shared:
            self.reduce = ops.Custom(workers.shared.sum, lambda shape: shape, lambda dtype: dtype, "pyfunc")

    def construct(self, tensors):
        sums = []
        before = tensors[0]
        # each reduction waits for the previous one: in different orders, workers would add up
        # different tensors
        for index in self.large:
            before = self.reduce(ops.depend(tensors[index], before))
            sums.append(before)
        together = ops.concat([tensors[index].reshape(-1) for index, _, _, _ in self.small])
        together = self.reduce(ops.depend(together, before))
        for _, begin, end, shape in self.small:
            sums.append(together[begin:end].reshape(shape))
        return [sums[place] for place in self.places]


def broadcast(array: np.ndarray, workers: Workers) -> np.ndarray:
    """Return the first worker's float32 array on every worker, bit for bit.

    The others add -0.0, the only number whose addition leaves every other unchanged.
    """
    if workers.number == 1:
        return array
    given = array if workers.first else np.full_like(array, -0.0)
    return workers.shared.sum(given) if workers.shared else ops.AllReduce()(ms.Tensor(given)).asnumpy()


def broadcast_parameters(parameters: Iterable[ms.Parameter], workers: Workers) -> None:
    """Copy the first worker's values to all workers. Call this before anything is compiled."""
    if workers.number > 1:
        for parameter in parameters:
            parameter.set_data(ms.Tensor(broadcast(parameter.asnumpy(), workers)))


def leave(folder: Path, status: int, workers: Workers) -> None:
    """Write this worker's exit status to `folder` and wait for the other workers.

    If a worker left immediately, another might wait in vain for an acknowledgement from it.
    """
    if workers.number == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    files = [finished_file(folder, f"worker_{rank}") for rank in range(workers.number)]
    with replacing(files[workers.rank]) as scratch:
        scratch.write_text(str(status))
    until = time.monotonic() + SECONDS_FOR_OTHERS
    while not all(file.exists() for file in files) and time.monotonic() < until:
        time.sleep(0.1)
