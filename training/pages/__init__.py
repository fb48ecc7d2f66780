"""A page of text, tables and interactive figures in one file, which needs nothing from anywhere else."""
