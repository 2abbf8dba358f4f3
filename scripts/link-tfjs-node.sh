#!/usr/bin/env bash
# Builds the native addon of @tensorflow/tfjs-node against the TensorFlow library inside the PyPI package
# tensorflow-cpu, for machines that reach npm and PyPI but not the host from which tfjs-node's own install
# script downloads libtensorflow. Linux on x86-64. See docs/tfjs-node.md.
#
#   scripts/link-tfjs-node.sh [PROJECT] [TENSORFLOW_VERSION] [NODE_DIR]
#
# PROJECT             folder whose node_modules holds, or is to hold, @tensorflow/tfjs-node; default: the current one
# TENSORFLOW_VERSION  version of tensorflow-cpu; default 2.18.1
# NODE_DIR            folder with include/node/node_api.h; default: the prefix of the running node
#
# Needs bash, node, npm, python3 with pip, make and a C++ compiler, and 1 GB of disk while it runs.
set -euo pipefail

tfjs_version=4.22.0
project=$(cd "${1:-.}" && pwd)
tensorflow_version=${2:-2.18.1}
node_dir=${3:-$(node -p 'path.resolve(process.execPath, "../..")')}

if [[ $(node -p 'process.platform + "-" + process.arch') != linux-x64 ]]; then
  echo "link-tfjs-node: tensorflow-cpu has a library that fits only on Linux x86-64, and this is $(uname -sm)." >&2
  exit 1
fi
if [[ ! -f $node_dir/include/node/node_api.h ]]; then
  echo "link-tfjs-node: no Node.js headers at $node_dir/include/node/node_api.h; give the folder as the third argument." >&2
  exit 1
fi

cd "$project"
if ! package=$(node -p 'path.dirname(require.resolve("@tensorflow/tfjs-node/package.json"))' 2>/dev/null); then
  npm install --ignore-scripts --save-optional "@tensorflow/tfjs-node@$tfjs_version"
  package=$(node -p 'path.dirname(require.resolve("@tensorflow/tfjs-node/package.json"))')
fi

# The library and its C headers come out of the wheel: a zip file, of which nothing is installed.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
  --dest "$scratch" "tensorflow-cpu==$tensorflow_version"
rm -rf "$package/deps"
mkdir -p "$package/deps/lib"
python3 - "$scratch"/tensorflow_cpu-*.whl "$scratch" <<'PYTHON'
import sys, zipfile
headers = ("tensorflow/include/tensorflow/", "tensorflow/include/tsl/", "tensorflow/include/xla/tsl/")
libraries = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name in libraries or (name.startswith(headers) and name.endswith(".h")):
            wheel.extract(name, sys.argv[2])
PYTHON
mv "$scratch/tensorflow/include" "$package/deps/include"
mv "$scratch"/tensorflow/libtensorflow_{cc,framework}.so.2 "$package/deps/lib"

# libtensorflow_cc holds the C API too. The names without a version are those that the addon's build links; the others
# are those by which the install script of tfjs-node finds the library in place, so that a later `npm rebuild`
# downloads nothing.
native_version=$(node -p 'require(process.argv[1]).LIBTENSORFLOW_VERSION' "$package/scripts/deps-constants.js")
for suffix in '' ".$native_version"; do
  ln -s libtensorflow_cc.so.2 "$package/deps/lib/libtensorflow.so$suffix"
  ln -s libtensorflow_framework.so.2 "$package/deps/lib/libtensorflow_framework.so$suffix"
done

# node-pre-gyp is a dependency of tfjs-node; it hands the addon's name and path to node-gyp.
cd "$package"
pre_gyp=$(node -p 'require.resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp")')
node "$pre_gyp" install --build-from-source --nodedir="$node_dir"

cd "$project"
node -e '
  const tf = require("@tensorflow/tfjs-node");
  const product = tf.matMul([[1, 2], [3, 4]], [[5], [6]]).dataSync().join();
  if (tf.getBackend() !== "tensorflow" || product !== "17,39") throw new Error(`${tf.getBackend()}: ${product}`);
  console.log(`tfjs-node ${tf.version["tfjs-node"]} runs on TensorFlow ${tf.backend().binding.TF_Version}`);
'
