"""What every consumer's script has in common.

A script is run as `python SCRIPT FOLDER FEEDS` for one case: FOLDER is what
pecvt wrote, FEEDS the folder that reference.py wrote for it. It prints one line
of JSON: {version, verdict, max_abs, limit, note}. The verdicts:

    same      it runs and gives the result's numbers, within float32 noise
    wrong     it runs and gives other numbers, without an error; the note says
              whether they are the source's
    refused   it ends with an error, which the note quotes
    no-op     it ends without an error and has done nothing
    broken    the script itself is at fault; never an expected verdict
"""

import json
import os
import re
import sys
import traceback

import numpy as np

# Of the largest logit: float32 runtimes differ from each other by a tenth of it.
LIMIT = 2e-5

# A model whose numbers are less certain in float32 has a larger limit, of what the
# newest ONNX Runtime differs by from itself without its optimisations; the factor is
# that of `pecvt verify`.
NOISE = 8


class Refused(Exception):
    """The consumer says no in its own way, without an exception of its own."""


class NoOp(Exception):
    """The consumer ends without an error and has done nothing."""


class Run:
    """Inputs of one call of a graph, and the logits that it must give."""

    def __init__(self, feeds, entry):
        self.past = entry["past"]
        self.inputs = {name: feeds.array(a) for name, a in entry["inputs"].items()}
        self.logits = feeds.array(entry["logits"])
        self.noise = entry["noise"]


class Feeds:
    """What reference.py wrote: short runs of the graph, and one long sequence."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "feeds.json")) as f:
            self.manifest = json.load(f)

    def array(self, entry):
        raw = np.fromfile(os.path.join(self.folder, entry["file"]), entry["dtype"])
        return raw.reshape(entry["shape"])

    def runs(self):
        return [Run(self, r) for r in self.manifest["runs"]]

    def long(self):
        """ids [1, S]; logits [S, V] of the result and of the source it was made from."""
        m = self.manifest["long"]
        return self.array(m["ids"]), self.array(m["logits"]), self.array(m["source"])


def apart(got, want):
    """The largest difference, and that over the largest wanted number. A NaN is infinitely far."""
    d = np.abs(np.asarray(got, np.float64) - want).max()
    return (float(d) if np.isfinite(d) else float("inf")), float(np.abs(want).max())


class Outcome:
    """Collects comparisons; the worst one decides."""

    def __init__(self, limit=None):
        self.limit, self.fixed = limit, limit is not None
        self.worst, self.source, self.note = 0.0, None, ""

    def compare(self, got, want, source=None, noise=0.0):
        if np.shape(got) != np.shape(want):
            raise Refused(f"shape {np.shape(got)}, expected {np.shape(want)}")
        d, most = apart(got, want)
        if not self.fixed:
            self.limit = max(self.limit or 0, LIMIT * most, NOISE * noise)
        self.worst = max(self.worst, d)
        if source is not None:
            s, _ = apart(got, source)
            self.source = max(self.source or 0.0, s)

    def verdict(self):
        if self.limit is None:
            raise AssertionError("nothing was compared")
        if self.worst <= self.limit:
            return "same"
        if self.source is not None and self.source <= self.limit:
            self.note = f"computes the source (max abs {self.source:.2g}). {self.note}".strip()
        return "wrong"


def ours(error):
    """Whether an error comes from a script of this folder itself: a fault of it, not a refusal."""
    frames = traceback.extract_tb(error.__traceback__)
    here = os.path.dirname(os.path.abspath(__file__))
    programmer = (NameError, AttributeError, ImportError, UnboundLocalError, AssertionError, TypeError, IndexError)
    return isinstance(error, programmer) and os.path.dirname(os.path.abspath(frames[-1].filename)) == here


def one_line(text, most=600):
    text = " ".join(str(text).split())
    # ONNX Runtime puts a file and a whole C++ signature before what it has to say.
    text = re.sub(r"/onnxruntime_src/.* (?=\S+ \S+ \S+ was false)", "", text)
    return text if len(text) <= most else text[: most - 1] + "…"


def main(version, run):
    """Runs one case: run(folder, feeds, outcome) compares, or raises what the consumer raises."""
    folder, feeds = sys.argv[1], Feeds(sys.argv[2])
    outcome = Outcome()
    out = {"version": version, "max_abs": None, "limit": None}
    try:
        run(folder, feeds, outcome)
        out["verdict"] = outcome.verdict()
        out["max_abs"], out["limit"] = outcome.worst, outcome.limit
    except NoOp as e:
        out["verdict"], outcome.note = "no-op", str(e)
    except Refused as e:
        out["verdict"], outcome.note = "refused", str(e)
    except Exception as e:  # whatever the consumer raises is its refusal
        out["verdict"] = "broken" if ours(e) else "refused"
        outcome.note = f"{type(e).__name__}: {e}"
        if out["verdict"] == "broken":
            traceback.print_exc()
    out["note"] = one_line(outcome.note)
    sys.stdout.flush()
    print("\n" + json.dumps(out), flush=True)
