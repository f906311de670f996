"""The trained stories260K as checkpoint and package: made once for all tests
(python test/e2e/stories.py DIR), or where a test file runs on its own."""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
COMMAND = os.environ.get("STREAMTENSOR",
                         os.path.join(ROOT, "build", "streamtensor"))


def make(folder):
    """folder/hf and folder/pkg."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    checkpoint = os.path.join(folder, "hf")
    subprocess.run([sys.executable, os.path.join(
        ROOT, "examples", "stories260K", "convert.py"), checkpoint],
        check=True)
    subprocess.run([COMMAND, "export", checkpoint, "-o",
                    os.path.join(folder, "pkg")], check=True)


def provide(folder):
    """The same, copied from what ctest made, if it did."""
    made = os.environ.get("STREAMTENSOR_TEST_STORIES", "")
    if os.path.isdir(made):
        shutil.copytree(made, folder)
    else:
        make(folder)


if __name__ == "__main__":
    make(sys.argv[1])
