#!/bin/sh
# Locks every group of pyproject.toml to requirements/<group>.txt, with hashes and without a word about where the
# packages come from. What is locked stays as it is as long as it fits; options such as --upgrade go to uv.
set -eu

UV=.venv/bin/uv
GROUPS_LOCKED="service training loadtest notebooks dashboards dev"

compile() {
    # --universal: one lock for every platform and every Python from 3.11 on. No header and no annotations:
    # they would name the command line of this machine. --system-certs: trust whom pip trusts.
    "$UV" pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One resolution of all groups together first, so that no two groups hold different versions of a package.
cat requirements/*.txt > "$work/all.txt" 2>/dev/null || true
all_groups=""
for group in $GROUPS_LOCKED; do all_groups="$all_groups --group $group"; done
# shellcheck disable=SC2086 # the groups are words of their own
compile $all_groups --output-file "$work/all.txt" "$@" > /dev/null

for group in $GROUPS_LOCKED; do
    compile --group "$group" --constraint "$work/all.txt" --output-file "$work/$group.txt" > /dev/null
    # In the same folder first: a lock is there as a whole or not at all.
    cp "$work/$group.txt" "requirements/.$group.new"
    mv "requirements/.$group.new" "requirements/$group.txt"
    echo "requirements/$group.txt: $(grep -c '==' "requirements/$group.txt") packages"
done
