#!/bin/sh
# Prints the path of the newest Python that Isowatch runs on, or says in one sentence what to do.
# PYTHON, when it is not empty, names the one to take.
#
# In sh and not in Python, because it runs before we know that there is a Python at all.
set -eu

# What pyproject.toml asks for under requires-python.
OLDEST=3.11

# A name in PATH proves nothing (version managers leave shims of Pythons that are not there), so each is run.
path_of_suitable() {
    "$1" -c 'import sys
oldest = tuple(int(part) for part in sys.argv[1].split("."))
sys.exit(1) if sys.version_info[:2] < oldest else print(sys.executable)' "$OLDEST" 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    path_of_suitable "$PYTHON" && exit
    echo "PYTHON=$PYTHON is no Python $OLDEST or newer: name another one, or leave PYTHON out." >&2
    exit 1
fi

for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
    path_of_suitable "$candidate" && exit
done

echo "Isowatch needs Python $OLDEST or newer and found $(python3 --version 2>/dev/null || echo 'no Python')" \
    "in PATH: install one, or say where it is with make PYTHON=/path/to/python3." >&2
exit 1
