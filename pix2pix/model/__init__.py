"""The networks.

In: settings.
Out: generator, discriminator, losses, checkpoints read and written, the device they run on.
May import: system, config.
"""
