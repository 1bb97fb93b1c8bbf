"""Configuration.

In: the dictionary that Snakemake read from config.yaml, or the flags of a program.
Out: validated settings, runs with every parameter resolved, the schema and the parameter table.
May import: system.
"""
