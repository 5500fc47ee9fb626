from __future__ import annotations

import subprocess
import sys

from aiolake import _aio


def test_all_is_what_is_there_and_sorted() -> None:
    assert list(_aio.__all__) == sorted(_aio.__all__)
    for name in _aio.__all__:
        assert getattr(_aio, name).__doc__


def test_importing_it_loads_no_anyio() -> None:
    code = "import sys, aiolake._aio; print('anyio' in sys.modules, 'ctypes' in sys.modules)"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "False False\n"
