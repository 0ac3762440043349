"""Where peers live: an environment for each, made once from its pinned requirements, outside the source tree."""

import os
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

HERE = Path(__file__).parent

READY = ".ready"


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/tailrace-bench`, where nothing is lost that cannot be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tailrace-bench"


def python_of(peer: str) -> str:
    """The interpreter of this peer's environment, which is made now if its requirements have no environment yet."""
    requirements = HERE / f"requirements-{peer}.txt"
    return str(_made(peer, requirements) / "bin" / "python")


def _made(peer: str, requirements: Path) -> Path:
    made_of = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    folder = cache_folder() / f"{peer}-{sha256(made_of.encode()).hexdigest()[:12]}"
    if (folder / READY).exists():
        return folder
    print(f"  making the environment of {peer}", flush=True)
    rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    subprocess.run(command, check=True)
    (folder / READY).touch()
    return folder
