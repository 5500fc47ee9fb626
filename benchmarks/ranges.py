"""Range reads of S3: what a request costs through each client, in one run on one machine.

``python -m benchmarks.ranges [--out DIR]`` starts nginx, which costs next to nothing and looks at
no signature, and measures each client in a process of its own; see ``.ci/lanes/ranges``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

N_IN_FLIGHT = 32
OBJECT_NBYTES = 64 << 20
KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"}
_SIZES = {"16 KiB": (16 << 10, 2000), "256 KiB": (256 << 10, 500), "8 MiB": (8 << 20, 128)}
_SERVERS = {"": "url", ", 20 ms": "late_url", ", TLS": "tls_url", ", TLS, 20 ms": "late_tls_url"}
CASES = {
    f"{size}{how}": (nbytes, n, server)
    for size, (nbytes, n) in _SIZES.items()
    for how, server in _SERVERS.items()
}
CLIENTS = ("aiolake", "aiobotocore", "s3fs", "obstore", "awscrt")
Read = Callable[[int, int], Awaitable[Any]]


async def with_aiolake(url: str, ca: str, run: Callable[[Read], Awaitable[Any]]) -> Any:
    from aiolake import urls
    from aiolake.format.checksum import crc32c
    from aiolake.options import Options
    from aiolake.stores.factory import open_store
    from aiolake.stores.network import Network
    from aiolake.stores.scheduled import ScheduledStore
    from aiolake.stores.scheduler import Scheduler

    options = Options()
    async with Network(options) as network:
        creds = {**KEYS, "endpoint_url": url, "region_name": "us-east-1", "verify": ca}
        inner = open_store(urls.parse("s3://bucket"), creds=creds, network=network)
        store = ScheduledStore(inner, Scheduler(options))

        async def read(start: int, stop: int) -> Any:
            data = await store.get_range("object", start, stop)
            crc32c(data)
            return data

        return await run(read)


async def with_aiobotocore(url: str, ca: str, run: Callable[[Read], Awaitable[Any]]) -> Any:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    client = get_session().create_client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        verify=ca,
        config=AioConfig(max_pool_connections=N_IN_FLIGHT, s3={"addressing_style": "path"}),
        **KEYS,
    )
    async with client as s3:

        async def read(start: int, stop: int) -> Any:
            answer = await s3.get_object(
                Bucket="bucket", Key="object", Range=f"bytes={start}-{stop - 1}"
            )
            async with answer["Body"] as body:
                return await body.read()

        return await run(read)


async def with_s3fs(url: str, ca: str, run: Callable[[Read], Awaitable[Any]]) -> Any:
    import s3fs

    fs = s3fs.S3FileSystem(
        key=KEYS["aws_access_key_id"],
        secret=KEYS["aws_secret_access_key"],
        client_kwargs={"endpoint_url": url, "region_name": "us-east-1", "verify": ca},
        config_kwargs={"max_pool_connections": N_IN_FLIGHT},
        asynchronous=True,
        skip_instance_cache=True,
    )
    session = await fs.set_session()

    async def read(start: int, stop: int) -> Any:
        return await fs._cat_file("bucket/object", start=start, end=stop)

    try:
        return await run(read)
    finally:
        await session.close()


async def with_obstore(url: str, ca: str, run: Callable[[Read], Awaitable[Any]]) -> Any:
    from obstore.store import S3Store

    store = S3Store(
        "bucket",
        endpoint=url,
        region="us-east-1",
        access_key_id=KEYS["aws_access_key_id"],
        secret_access_key=KEYS["aws_secret_access_key"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "allow_invalid_certificates": True},
    )

    async def read(start: int, stop: int) -> Any:
        return memoryview(await store.get_range_async("object", start=start, end=stop))

    return await run(read)


async def with_awscrt(url: str, ca: str, run: Callable[[Read], Awaitable[Any]]) -> Any:
    from awscrt import auth, http, io, s3

    bootstrap = io.ClientBootstrap.get_or_create_static_default()
    provider = auth.AwsCredentialsProvider.new_static(*KEYS.values())
    tls, mode = None, s3.S3RequestTlsMode.DISABLED
    if url.startswith("https"):
        options = io.TlsContextOptions()
        options.override_default_trust_store_from_path(None, ca)
        tls = io.ClientTlsContext(options).new_connection_options()
        mode = s3.S3RequestTlsMode.ENABLED
    client = s3.S3Client(
        bootstrap=bootstrap,
        region="us-east-1",
        signing_config=s3.create_default_s3_signing_config(
            region="us-east-1", credential_provider=provider
        ),
        tls_mode=mode,
        tls_connection_options=tls,
    )
    host = url.split("//")[1]

    async def read(start: int, stop: int) -> Any:
        parts: list[bytes] = []
        headers = http.HttpHeaders([("host", host), ("range", f"bytes={start}-{stop - 1}")])
        request = client.make_request(
            type=s3.S3RequestType.GET_OBJECT,
            request=http.HttpRequest("GET", "/bucket/object", headers),
            on_body=lambda chunk, offset, **_: parts.append(chunk),
        )
        await asyncio.wrap_future(request.finished_future)
        return b"".join(parts)

    return await run(read)


async def measured(read: Read, nbytes: int, n: int, expected: bytes) -> dict[str, float]:
    """Read ranges, 32 in flight; the first few are checked and not counted."""
    from aiolake._aio import map_concurrently

    rng = random.Random(1)
    starts = [rng.randrange(OBJECT_NBYTES - nbytes) for _ in range(n)]
    for start in starts[:8]:
        assert bytes(await read(start, start + nbytes)) == expected[start : start + nbytes]
    todo = iter(starts)

    async def work(_: int) -> None:
        for start in todo:
            assert len(await read(start, start + nbytes)) == nbytes

    await map_concurrently(work, range(2))  # connections are opened
    todo = iter(starts)
    began, cpu = time.perf_counter(), time.process_time()
    await map_concurrently(work, range(N_IN_FLIGHT))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"per_s": n / wall, "mb_per_s": n * nbytes / wall / 1e6, "cpu_per_1000": 1000 * cpu / n}


def worker(client: str, url: str, ca: str, path: str, nbytes: int, n: int) -> None:
    expected = Path(path).read_bytes()

    async def run(read: Read) -> Any:
        return await measured(read, nbytes, n, expected)

    print(json.dumps(asyncio.run(globals()[f"with_{client}"](url, ca, run))), flush=True)


def one(client: str, case: str, server: Any) -> dict[str, float]:
    nbytes, n, address = CASES[case]
    path = server.root / "bucket" / "object"
    command = [sys.executable, "-m", "benchmarks.ranges", "--worker", client]
    command += [getattr(server, address), str(server.ca), str(path), str(nbytes), str(n)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ}
    )
    if not done.stdout.strip():
        raise RuntimeError(f"{client}, {case}: {done.returncode} {done.stderr[-500:]}")
    if done.returncode:  # it had measured, and fell when it was to end
        print(f"{client}, {case}: ended with {done.returncode}", file=sys.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(results: dict[str, dict[str, list[dict[str, float]]]]) -> str:
    """Medians of the rounds, and the ratio of each peer's CPU to ours."""
    lines = [
        "| ranges | client | requests/s | MB/s | CPU-s per 1,000 | CPU beside ours |",
        "|---|---|---|---|---|---|",
    ]
    for case, clients in results.items():
        ours = median(clients["aiolake"], "cpu_per_1000")
        for client, runs in clients.items():
            cpu = median(runs, "cpu_per_1000")
            lines.append(
                f"| {case} | {client} | {median(runs, 'per_s'):,.0f} | "
                f"{median(runs, 'mb_per_s'):,.0f} | {cpu:.3f} | x{cpu / ours:.1f} |"
            )
    return "\n".join(lines)


def median(runs: list[dict[str, float]], name: str) -> float:
    return sorted(run[name] for run in runs)[len(runs) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", nargs=6)
    given = parser.parse_args()
    if given.worker:
        client, url, ca, path, nbytes, n = given.worker
        return worker(client, url, ca, path, int(nbytes), int(n))
    from tests.servers.certificates import make_certificate
    from tests.servers.environments import ready
    from tests.servers.nginx import NGINX, nginx_server

    ready(NGINX)
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        nginx_server(make_certificate(Path(directory))) as server,
    ):
        (server.root / "bucket").mkdir()
        (server.root / "bucket" / "object").write_bytes(os.urandom(OBJECT_NBYTES))
        for _ in range(given.rounds):
            for case in CASES:
                for client in CLIENTS:
                    try:
                        found = one(client, case, server)
                    except RuntimeError as error:
                        print(f"failed: {error}", file=sys.stderr)
                        continue
                    results.setdefault(case, {}).setdefault(client, []).append(found)
    print(table(results))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "ranges.json").write_text(json.dumps(results, indent=1))
    return None


if __name__ == "__main__":
    main()
