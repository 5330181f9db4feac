#!/usr/bin/env python3
"""The minimum supported Rust version: no dependency may ask for a newer Rust than our rust-version does.

That our own code uses nothing newer of the standard library is clippy's lint incompatible_msrv. Neither is a build
with that very version.
"""

import json
import subprocess
import sys


def version(text):
    return tuple(int(part) for part in (text.split(".") + ["0", "0"])[:3])


command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
packages = {package["id"]: package for package in metadata["packages"]}
ours = {packages[member]["rust_version"] for member in metadata["workspace_members"]}
if len(ours) != 1 or None in ours:
    sys.exit(f"the crates of the workspace disagree on rust-version: {ours}")
limit = ours.pop()
late = [
    f"  {package['name']} {package['version']} needs Rust {package['rust_version']}"
    for package in packages.values()
    if version(package["rust_version"] or "1.0") > version(limit)
]
if late:
    sys.exit("\n".join([f"rust-version is {limit}, but:", *late]))
print(f"rust-version {limit}: none of {len(packages)} packages needs more")
