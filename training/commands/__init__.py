"""The commands of ``python -m training``.

Each module is fast to import: packages that take a second to load (scikit-learn, pandas) are imported when a command
runs, so that ``--help`` and a mistyped option are answered at once.
"""
