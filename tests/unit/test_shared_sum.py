"""Sums in shared memory of the workers of one machine; here each worker is a thread."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pix2pix.distributed.shared_sum import CHUNK, SharedSum


def together(number: int, work) -> list:
    """Run work(worker) in `number` parallel workers; return their results."""
    secret = secrets.token_hex()
    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(lambda rank: work(SharedSum(number, rank, secret)), range(number)))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_worker_gets_the_sum_of_every_call(number):
    # less than one chunk, whole chunks, and a remainder
    shapes = [(5,), (2, 3, 4), (2, CHUNK), (3 * CHUNK + 7,)] * 2
    random = np.random.default_rng(number)
    given = [[random.normal(size=shape).astype(np.float32) for shape in shapes] for _ in range(number)]
    results = together(number, lambda shared: [shared.sum(array) for array in given[shared.rank]])
    for call, shape in enumerate(shapes):
        expected = given[0][call].copy()
        for rank in range(1, number):
            expected += given[rank][call]
        for sums in results:
            assert sums[call].shape == shape
            assert sums[call].tobytes() == expected.tobytes()


def test_negative_zero_survives():
    """Needed for a bit-identical broadcast of the first worker's weights (pix2pix.distributed.workers.broadcast)."""
    for total in together(2, lambda shared: shared.sum(np.full(3, -0.0, np.float32))):
        assert np.signbit(total).all()


def test_exited_worker_is_detected():
    def work(shared):
        if shared.rank == 1:
            shared.others[0].close()
            return "ended"
        with pytest.raises(ConnectionError, match="another worker"):
            shared.sum(np.zeros(3, np.float32))
        return "noticed"

    assert together(2, work) == ["noticed", "ended"]
