"""What config.yaml means.

In: a dictionary that Snakemake read, or the flags of a program.
Out: checked settings, runs with every parameter resolved, the schema and the parameter table.
May import: system.
"""
