import sys
import time
from pathlib import Path

import pytest

from benchmarks.environments import Environments, ModuleFailedError


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    (tmp_path / "here/bin").mkdir(parents=True)
    (tmp_path / "here/bin/python").symlink_to(sys.executable)
    return Environments(tmp_path, tmp_path)


def test_memory_of_a_process_is_seen(environments: Environments) -> None:
    held = "x = bytearray(b'1') * 50_000_000; import time; time.sleep(0.5)"

    peak = environments.run("here", "timeit", ["-n", "1", "-r", "1", held], 30)

    assert 50e6 < peak < 500e6


def test_a_failure_says_what_was_printed(environments: Environments) -> None:
    with pytest.raises(ModuleFailedError, match="No module named nowhere"):
        environments.run("here", "nowhere", [], 30)


def test_what_takes_too_long_is_ended_with_its_children(environments: Environments) -> None:
    started = time.monotonic()
    child = "import subprocess; subprocess.run(['sleep', '60'])"

    with pytest.raises(ModuleFailedError, match="too long"):
        environments.run("here", "timeit", ["-n", "1", "-r", "1", child], 0.5)

    assert time.monotonic() - started < 20
