"""The commands of ``python -m training``, one a file.

Each module is light to import: what takes a second to load (scikit-learn, pandas) is imported when a command
runs, so that ``--help`` and a mistyped option are answered at once.
"""
