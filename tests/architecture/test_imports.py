"""What ``import aiolake`` loads: a set of modules, since a time would depend on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aiolake

THIRD_PARTY = {
    "aiolake",
    "anyio",
    "google_crc32c",
    "idna",
    "msgspec",
    "numpy",
    "sniffio",
    "typing_extensions",
    "zstandard",
}
HEAVY_STDLIB = {
    "ctypes.util",
    "distutils",
    "email.message",
    "http.client",
    "importlib.metadata",
    "multiprocessing",
    "pdb",
    "pydoc",
    "sqlite3",
    "tkinter",
    "unittest",
    "urllib.request",
    "xml.dom",
    "xmlrpc",
}


def loaded_by(statement: str) -> set[str]:
    """The modules a fresh interpreter has loaded after a statement, and not before it."""
    program = f"import sys; old = set(sys.modules); {statement}; print(*set(sys.modules) - old)"
    where = str(Path(aiolake.__path__[0]).parent)
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": where},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def roots(names: set[str]) -> set[str]:
    """The top-level packages of modules, compiled helpers of the standard library left out."""
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_importing_aiolake_loads_no_codec_no_terminal_and_no_provider() -> None:
    extra = roots(loaded_by("import aiolake")) - THIRD_PARTY
    assert not {name for name in extra if not name.startswith("_")}


def test_importing_aiolake_loads_no_heavy_part_of_the_standard_library() -> None:
    ours = loaded_by("import aiolake") - loaded_by("import numpy, asyncio")
    assert not ours & HEAVY_STDLIB


def test_importing_aiolake_adds_few_modules_to_what_numpy_and_asyncio_load() -> None:
    ours = loaded_by("import aiolake") - loaded_by("import numpy, asyncio")
    assert len({name for name in ours if not name.startswith("aiolake")}) <= 120


def test_importing_aiolake_does_not_load_its_command_line_or_test_kit() -> None:
    parts = {".".join(name.split(".")[:2]) for name in loaded_by("import aiolake")}
    assert not parts & {"aiolake.cli", "aiolake.testing", "aiolake.hubserver"}
