"""Devices: what GPU, Ascend and bfloat16 on a CPU need, and whether it is there. Nothing here imports MindSpore.

In: device_target, precision and this machine.
Out: a list of what was found and what is missing; an environment in which MindSpore finds its back end; compiled
convolutions in bfloat16.
May import: system.
"""
