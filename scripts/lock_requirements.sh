#!/bin/sh
# Lock every group of pyproject.toml in requirements/<group>.txt, with hashes and without package indexes. Locked versions
# stay as long as they satisfy pyproject.toml; options such as --upgrade are passed to uv.
set -eu

UV=.venv/bin/uv
GROUPS_LOCKED="service parser training loadtest notebooks spark dashboards dev"

compile() {
    # --universal: one lock for every platform and every Python from 3.11 on. No header and no annotations:
    # they would contain the command line of this machine. --system-certs: use the same certificates as pip.
    "$UV" pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One resolution of all groups together first, so that no two groups hold different versions of a package.
cat requirements/*.txt > "$work/all.txt" 2>/dev/null || true
all_groups=""
for group in $GROUPS_LOCKED; do all_groups="$all_groups --group $group"; done
# shellcheck disable=SC2086 # each group is a separate argument
compile $all_groups --output-file "$work/all.txt" "$@" > /dev/null

for group in $GROUPS_LOCKED; do
    compile --group "$group" --constraint "$work/all.txt" --output-file "$work/$group.txt" > /dev/null
    # Copy into the same folder first, so that a lock is replaced atomically.
    cp "$work/$group.txt" "requirements/.$group.new"
    mv "requirements/.$group.new" "requirements/$group.txt"
    echo "requirements/$group.txt: $(grep -c '==' "requirements/$group.txt") packages"
done
