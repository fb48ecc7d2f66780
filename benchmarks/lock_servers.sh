#!/bin/sh
# Locks what each server under benchmarks/servers/ needs: requirements.in to requirements.txt, with hashes and
# without the address of a package index. Options such as --upgrade are passed to uv.
set -eu
cd "$(dirname "$0")/.."

for wanted in benchmarks/servers/*/requirements.in; do
    folder=$(dirname "$wanted")
    lock="$folder/requirements.txt"
    being_written="$folder/.requirements.txt.new"
    # Keep the locked versions where they satisfy the requirements.
    if [ -f "$lock" ]; then cp "$lock" "$being_written"; fi
    # Constrained by the repository's own lock, so that all servers load the model with the same packages.
    .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header \
        --constraint requirements/training.txt \
        --output-file "$being_written" "$@" "$wanted" > /dev/null
    mv "$being_written" "$lock"
    echo "$lock: $(grep -c '==' "$lock") packages"
done
