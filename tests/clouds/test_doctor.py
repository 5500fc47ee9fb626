"""``doctor`` finds the server of every cloud, and what is wrong on the way to it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import aiolake
from aiolake import Tensor
from aiolake.cli.common import Common
from aiolake.cli.doctor.command import doctor
from tests.clouds.places import Cloud


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_way_to_each_cloud_is_tried(
    cloud: Cloud, read_only: bool, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async with (
        aiolake.create_dataset(cloud.url, {"x": Tensor("int64")}, creds=cloud.creds) as ds,
        ds.transaction() as tx,
    ):
        await tx.append({"x": 1})
    creds = tmp_path / "creds.json"
    creds.write_text(json.dumps(cloud.creds))
    capfdbinary.readouterr()
    await doctor(cloud.url, read_only=read_only, common=Common(json=True, creds=str(creds)))
    found = {each["check"]: each for each in json.loads(capfdbinary.readouterr().out)["findings"]}
    server = urlsplit(cloud.creds["endpoint_url"])
    assert f"{server.hostname} port {server.port}" in found["tcp"]["detail"]
    assert found["reach"]["verdict"] == found["latency"]["verdict"] == "ok"
    assert found["bandwidth"]["verdict"] == ("skipped" if read_only else "ok")
    assert "tls" not in found
