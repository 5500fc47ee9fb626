"""Who may import whom, and what a part must not know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imports, modules

CLOUDS = {
    "adlfs",
    "aiobotocore",
    "aiohttp",
    "azure",
    "boto3",
    "botocore",
    "gcloud",
    "google",
    "httpx",
    "s3fs",
}
LOOPS = {"anyio", "asyncio", "concurrent", "socket", "trio"}

MUST_NOT_KNOW = {
    "dtypes": CLOUDS | LOOPS,
    "errors": CLOUDS | LOOPS,
    "keys": CLOUDS | LOOPS,
    "options": CLOUDS | LOOPS,
    "ranges": CLOUDS | LOOPS,
    "types": CLOUDS | LOOPS,
    "urls": CLOUDS | LOOPS,
    "codecs": CLOUDS | LOOPS,
    "format": CLOUDS | LOOPS,
    "versions": CLOUDS,
    "chunks": CLOUDS,
    "dataset": CLOUDS,
    "loaders": CLOUDS,
}


def test_a_module_imports_only_from_layers_below_its_own() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("part", MUST_NOT_KNOW)
def test_a_part_does_not_import_what_it_must_not_know(part: str) -> None:
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules()
        if module.part == part
        for node, name in imports(module.tree)
        if name.split(".")[0] in MUST_NOT_KNOW[part]
    ]
    assert not found


def test_the_package_does_not_import_its_tests() -> None:
    tools = {"tests", "_pytest", "hypothesis"}
    found = [
        f"{module.at(node)} imports {name}"
        for module in modules()
        for node, name in imports(module.tree)
        if name.split(".")[0] in tools
    ]
    assert not found
