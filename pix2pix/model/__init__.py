"""The networks.

In: settings.
Out: generator, discriminator, losses, reading and writing of checkpoints, the device to run on.
May import: system, config, devices.
"""
