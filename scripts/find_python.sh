#!/bin/sh
# Prints the path of the Python to run Isowatch with, or one sentence about what to do: the Python that .venv was made
# with, else the newest suitable one in PATH. PYTHON, if it is not empty, overrides both.
#
# In sh and not in Python, because it runs before we know that there is a Python at all.
set -eu

# Equals requires-python in pyproject.toml.
OLDEST=3.11

# A name in PATH proves nothing (version managers leave shims of Pythons that are not installed), so each is run.
# -I and -S: a start without site-packages takes a fifth of the time.
path_of_suitable() {
    "$1" -I -S -c 'import sys
oldest = tuple(int(part) for part in sys.argv[1].split("."))
sys.exit(1) if sys.version_info[:2] < oldest else print(getattr(sys, sys.argv[2]))' "$OLDEST" "${2:-executable}" 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    path_of_suitable "$PYTHON" && exit
    echo "PYTHON=$PYTHON is no Python $OLDEST or newer: name another one, or leave PYTHON out." >&2
    exit 1
fi

# Searching PATH takes up to two seconds where a version manager has shims; once there is an environment, it decides.
if [ -x .venv/bin/python ]; then
    # The Python that it was made with, not its own: a stale environment is removed and made again.
    path_of_suitable .venv/bin/python _base_executable && exit
fi

for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
    path_of_suitable "$candidate" && exit
done

echo "Isowatch needs Python $OLDEST or newer and found $(python3 --version 2>/dev/null || echo 'no Python')" \
    "in PATH: install one, or name it with make PYTHON=/path/to/python3." >&2
exit 1
