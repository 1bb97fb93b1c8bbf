"""Plans: what runs will take, before anything is downloaded.

In: the configuration, and the sizes of files that exist.
Out: gigabytes by stage, steps, hours.
May import: system, config, model.
"""
