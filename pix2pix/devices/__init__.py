"""Devices: what GPU and Ascend need, whether it is there, and how MindSpore finds it. Nothing here imports MindSpore.

In: device_target and this machine.
Out: a list of what was found and what is missing; an environment in which MindSpore finds its back end.
May import: system.
"""
