"""Threads work in advance, but results come in order, and errors in their place."""

import threading
import time

import pytest

from pix2pix.data.ahead import map_ahead


def test_results_keep_the_order_of_the_items_even_if_later_ones_are_ready_first():
    def slow_start(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return 10 * number

    assert list(map_ahead(slow_start, range(20), threads=3, ahead=4)) == [10 * number for number in range(20)]
    assert list(map_ahead(slow_start, [], threads=3, ahead=4)) == []


def test_only_a_few_items_are_taken_in_advance():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = map_ahead(str, items(), threads=2, ahead=5)
    assert next(results) == "0"
    assert len(taken) == 6
    assert next(results) == "1"
    assert len(taken) == 7


def test_an_error_is_raised_in_the_place_of_its_result():
    results = map_ahead(lambda number: 6 // number, [2, 3, 0, 1], threads=2, ahead=8)
    assert (next(results), next(results)) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_end_when_the_caller_stops_early():
    before = threading.active_count()
    results = map_ahead(str, range(100), threads=3, ahead=50)
    assert next(results) == "0"
    results.close()
    assert threading.active_count() == before
