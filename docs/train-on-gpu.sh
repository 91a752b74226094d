#!/usr/bin/env bash
# Train the larger built-in network on one GPU in a fixed time, from a single file of data, into pieces that are easy to carry.
#
#   tar -C DATA -cJf data.tar.xz .                  # DATA: a folder of `midigpt train prepare`; the corpus of the built-in model: 26 MB
#   bash docs/train-on-gpu.sh data.tar.xz OUT 500s  # on the GPU; OUT then holds metrics.jsonl and weights.00, weights.01, ...
#   bash docs/train-on-gpu.sh data.tar.xz OUT2 500s PIECES/weights.*   # goes on from such pieces
#
# To try it on a processor: STEPS=3 WORKERS=1 bash docs/train-on-gpu.sh data.tar.xz OUT
set -euo pipefail
archive=$1 out=$2 time=${3:-500s}
shift $(($# < 3 ? $# : 3))
here=$(cd "$(dirname "$0")/.." && pwd)
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$out" "$room/data"
tar -C "$room/data" -xJf "$archive"
sed "s/^workers = .*/workers = ${WORKERS:-14}/" "$here/docs/open-large.toml" >"$room/settings.toml"
start=()
if [ $# -gt 0 ]; then
  cat "$@" >"$room/start.safetensors"
  start=(--init "$room/start.safetensors")
fi
long=(--time-budget "$time")
[ -n "${STEPS:-}" ] && long=(--steps "$STEPS")
cd "$here"
python -m midigpt_cli.main train run "$room/data" -o "$room/run" --config "$room/settings.toml" --devices 1 "${start[@]}" "${long[@]}"
python -m midigpt_cli.main models pack "$room/run" -o "$room/weights.safetensors" --dtype float16
split -b 15M -d "$room/weights.safetensors" "$out/weights."
cp "$room/run/metrics.jsonl" "$out/"
