"""Adapter for the Python runner of WebAssembly/wasi-testsuite: how teff runs one of its tests.

Knows the command line of `teff run`, and the five functions that the runner calls. See README.md.
"""

import os
import shlex
import subprocess
from typing import Dict, List, Optional, Tuple

# Words as a shell splits them: TEFF="qemu-aarch64-static PATH/teff" works as well.
TEFF = shlex.split(os.getenv("TEFF", "teff"))


def get_name() -> str:
    return "teff"


def get_version() -> str:
    # It prints `teff 0.1.0`.
    output = subprocess.run(TEFF + ["--version"], check=True, capture_output=True, encoding="utf-8").stdout
    return output.split()[1]


def get_wasi_versions() -> List[str]:
    return ["wasm32-wasip1"]


def get_wasi_worlds() -> List[str]:
    return ["wasi:cli/command"]


def get_timeout_seconds() -> float:
    # Only a test that hangs takes so long; the runner's own limit is short for an emulated processor.
    return 60.0


def compute_argv(
    test_path: str,
    args_env_root: Tuple[List[str], Dict[str, str], Optional[str]],
    proposals: List[str],
    wasi_world: str,
    wasi_version: str,
) -> List[str]:
    # There are no proposals for preview 1, and only the world and the version from above are asked for.
    arguments, environment, root = args_env_root
    command = TEFF + ["run"]
    for name, value in environment.items():
        command += ["--env", f"{name}={value}"]
    if root:
        command += ["--dir", f"{root}::/"]
    return command + [test_path] + arguments
