"""onnxslim, then ONNX Runtime on what it saved."""

import os
import subprocess
import sys
import tempfile
from importlib import metadata

from ort import compare
from protocol import Refused, main


def run(folder, feeds, outcome):
    with tempfile.TemporaryDirectory() as work:
        target = os.path.join(work, "model.onnx")
        # Its own command line, from another folder: a script of the same name is here.
        done = subprocess.run([sys.executable, "-m", "onnxslim", os.path.abspath(os.path.join(folder, "model.onnx")), target, "--save-as-external-data"],
                              cwd=work, capture_output=True, text=True)
        if done.returncode or not os.path.exists(target):
            raise Refused((done.stderr or done.stdout).strip()[-250:])
        compare(target, feeds, outcome)


if __name__ == "__main__":
    main(metadata.version("onnxslim"), run)
