#!/bin/sh
# Build the environment {{ environment }} at PREFIX from the bundle's wheels. Offline; every wheel is checked by hash.
# usage: sh setup.sh PREFIX [PYTHON [BUNDLE]]      PYTHON must be a Python {{ python }}
# BUNDLE: the bundle that holds wheels/, this one unless another is named (a thin bundle borrows its parent's)
# Build at the final path: a virtual environment cannot be moved. The caller makes sure that only one builds at a time.
set -eu

[ $# -ge 1 ] || { echo "usage: sh setup.sh PREFIX [PYTHON [BUNDLE]]" >&2; exit 2; }
prefix=$1
wanted={{ python }}
python=${2:-python$wanted}
installer={{ installer }}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
bundle=${3:-$(CDPATH='' cd -- "$here/../.." && pwd)}

found=$("$python" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])') || {
    echo "setup.sh: $python does not run: load a module with Python $wanted, or name an interpreter" >&2; exit 2; }
[ "$found" = "$wanted" ] || {
    echo "setup.sh: $python is Python $found, the wheels are for Python $wanted" >&2; exit 2; }

# --clear: a build that was cut off may have left half of an environment
"$python" -I -B -m venv --clear --without-pip "$prefix"
"$prefix/bin/python" -I -B -m zipfile -e "$bundle/wheels/$installer" "$prefix/installer"
uv=$(find "$prefix/installer" -type f -path '*/scripts/uv')
chmod 755 "$uv"
# copies, because a prefix on a node's own disk must outlive the bundle
UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1 "$uv" pip install --quiet --offline --no-index --no-cache \
    --link-mode copy --find-links "$bundle/wheels" --require-hashes \
    --python "$prefix/bin/python" -r "$here/requirements.lock"
rm -rf -- "${prefix:?}/installer"
{% if base_packages %}
# what the image has installed is seen as well; the packages of the lock come first
sed 's/^include-system-site-packages = false/include-system-site-packages = true/' "$prefix/pyvenv.cfg" >"$prefix/pyvenv.new"
mv -- "$prefix/pyvenv.new" "$prefix/pyvenv.cfg"
{% endif %}
