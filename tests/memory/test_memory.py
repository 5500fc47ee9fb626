"""Resident memory stays within the byte budget, whatever the size of the dataset or sample."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.scale import pick
from tests.servers.s3 import S3Server

MIB = 1 << 20
SLACK = 64 * MIB
BUDGET = pick(16, 64) * MIB
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Without it each thread that whole objects pass through keeps one more for the next, on glibc."""
HUGE = pick(100, 300) * 1_000_000

pytestmark = [pytest.mark.soak, pytest.mark.timeout(pick(120, 900))]


def grown(
    job: str, url: Path, nbytes: int, cache: int = 0, variables: Mapping[str, str] | None = None
) -> int:
    """By how many bytes a process grew at most while it did a job."""
    command = [sys.executable, "-m", "tests.memory.jobs", job, str(url)]
    done = subprocess.run(
        [*command, str(nbytes), str(BUDGET), str(cache)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": _path(), **(variables or {})},
        cwd=url.parent,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def _path() -> str:
    return os.pathsep.join(part for part in (os.environ.get("PYTHONPATH", ""), str(ROOT)) if part)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A dataset ten times the budget, and how much the process that ingested it grew."""
    url = tmp_path_factory.mktemp("memory") / "ds"
    return url, grown("ingest", url, 10 * BUDGET)


def test_ingest(dataset: tuple[Path, int]) -> None:
    assert dataset[1] <= BUDGET + SLACK


def test_ingesting_files(tmp_path: Path) -> None:
    grown("make_files", tmp_path / "ds", 10 * BUDGET)
    assert grown("ingest_files", tmp_path / "ds", 10 * BUDGET) <= BUDGET + SLACK


def test_copy(dataset: tuple[Path, int]) -> None:
    assert grown("copy", dataset[0], 10 * BUDGET) <= BUDGET + SLACK


@pytest.mark.parametrize("how", pick(["copy_history"], ["copy", "copy_history"]))
def test_copy_to_a_cloud(how: str, dataset: tuple[Path, int], moto: S3Server) -> None:
    place = {
        "COPY_TO": f"s3://{moto.new_bucket()}",
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_ACCESS_KEY_ID": moto.access_key,
        "AWS_SECRET_ACCESS_KEY": moto.secret_key,
        "AWS_REGION": moto.region,
        **ONE_HEAP,
    }
    assert grown(how, dataset[0], 10 * BUDGET, variables=place) <= BUDGET + SLACK


@pytest.mark.parametrize("cache", [0, BUDGET])
def test_scan(cache: int, dataset: tuple[Path, int]) -> None:
    assert grown("scan", dataset[0], 10 * BUDGET, cache) <= BUDGET + SLACK


def test_shuffled_pass(dataset: tuple[Path, int]) -> None:
    assert grown("shuffled", dataset[0], 10 * BUDGET) <= BUDGET + SLACK


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A dataset of one huge sample, and how much its writer grew beside the sample."""
    url = tmp_path_factory.mktemp("memory") / "huge"
    return url, grown("write_huge", url, HUGE)


def test_a_huge_sample_is_written_without_a_copy(huge: tuple[Path, int]) -> None:
    assert huge[1] <= BUDGET + SLACK


def test_a_huge_sample_is_read_once(huge: tuple[Path, int]) -> None:
    """What it grew is the sample itself, once, and the budget."""
    assert grown("read_huge", huge[0], HUGE) <= HUGE + BUDGET + SLACK


def test_a_part_of_a_huge_sample_costs_the_part(huge: tuple[Path, int]) -> None:
    assert grown("read_huge_in_part", huge[0], HUGE) <= BUDGET + SLACK
