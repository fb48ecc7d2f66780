#!/bin/sh
# Locks what each server under benchmarks/servers/ needs: requirements.in to requirements.txt, with hashes and
# without a word about where the packages come from. Options such as --upgrade go to uv.
set -eu
cd "$(dirname "$0")/.."

for wanted in benchmarks/servers/*/requirements.in; do
    folder=$(dirname "$wanted")
    lock="$folder/requirements.txt"
    being_written="$folder/.requirements.txt.new"
    # What is locked stays as it is as long as it fits.
    if [ -f "$lock" ]; then cp "$lock" "$being_written"; fi
    # Held to what the repository has locked, so that all servers read the same model with the same packages.
    .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header \
        --constraint requirements/training.txt \
        --output-file "$being_written" "$@" "$wanted" > /dev/null
    mv "$being_written" "$lock"
    echo "$lock: $(grep -c '==' "$lock") packages"
done
