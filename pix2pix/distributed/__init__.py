"""Data-parallel training with several workers and machines.

In: a program's command line and the number of workers.
Out: workers started, monitored and stopped; gradients and weights exchanged.
May import: system, config.
"""
