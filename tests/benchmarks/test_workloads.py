"""The harness in one process: every workload, every kind of samples, two peers."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.generate import generate
from benchmarks.peers import PEERS
from benchmarks.plan import WORKLOADS_OF
from benchmarks.source import KINDS, Source, WrongBytesError
from benchmarks.worker import measure
from benchmarks.workloads import WORKLOADS

N = 300


@pytest.fixture(scope="module", params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: str = request.param
    directory: Path = tmp_path_factory.mktemp("samples") / kind
    generate(directory, kind, N)
    return directory


def job(source: Path, peer: str, workload: str, directory: Path) -> dict[str, Any]:
    return {
        "source": str(source),
        "peer": peer,
        "workload": workload,
        "directory": str(directory),
        "round": 1,
        "budget_s": 30.0 if workload == "scan" else 0.01,
    }


@pytest.mark.parametrize("peer", ["aiolake", "files"])
def test_every_workload_of_a_peer_gives_the_samples_back(
    source: Path, peer: str, tmp_path: Path
) -> None:
    directory = tmp_path / "dataset"
    found = {w: measure(job(source, peer, w, directory)) for w in WORKLOADS}

    whole = Source.load(source)
    assert {found[w]["n_samples"] for w in ("ingest", "scan", "shuffle")} == {N}
    assert found["scan"]["nbytes"] == whole.nbytes
    assert found["first"]["n_samples"] == 1
    assert found["shuffle"]["notes"]["distinct"] == 1
    assert all(each["seconds"] > 0 and each["pss_bytes"] > 2**20 for each in found.values())
    if peer == "aiolake":
        assert found["batch"]["requests"] > 0


def test_a_wrong_answer_ends_a_measurement(source: Path) -> None:
    samples = Source.load(source)
    values = list(samples.values())

    assert [samples.find(value) for value in values] == list(range(N))
    assert sum(samples.check(row, value) for row, value in enumerate(values)) == samples.nbytes
    with pytest.raises(WrongBytesError, match="row 1"):
        samples.check(1, values[0])
    with pytest.raises(WrongBytesError, match="an answer is a"):
        samples.check(1, np.zeros(3))


def test_samples_are_the_same_in_every_run(source: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", source.name, N)

    assert Source.load(tmp_path / "again").crcs == Source.load(source).crcs


def test_every_peer_has_a_module_and_known_workloads() -> None:
    for spec in PEERS.values():
        name = spec.module.rpartition(".")[2]
        assert importlib.util.find_spec("benchmarks.peers") is not None
        assert (Path(__file__).parents[2] / f"benchmarks/peers/{name}.py").exists()
        assert {*spec.cannot, *spec.only} <= set(WORKLOADS)
    assert {w for some in WORKLOADS_OF.values() for w in some} == set(WORKLOADS)
