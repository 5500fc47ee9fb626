"""S3 as Ceph's gateway has it: a store of three processes that checks every signature."""

from __future__ import annotations

import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers.debian import Unpacked, debian_environment, unpacked
from tests.servers.http import exchange
from tests.servers.processes import LOCALHOST, free_port, run
from tests.servers.s3 import S3Server

__all__ = ["RADOSGW", "radosgw_server"]

RADOSGW = debian_environment("radosgw", "radosgw", "ceph-mon", "ceph-osd")

_KEY, _SECRET = "testing", "testing-secret"
_CONFIGURATION = """
[global]
fsid = {id}
mon host = {monitor}
public addr = {localhost}
public network = 127.0.0.0/8
ms bind ipv6 = false
keyring = {home}/keyring
run dir = {home}
mon data = {home}/mon
osd data = {home}/osd
rgw data = {home}/rgw
plugin dir = {plugins}
erasure code dir = {plugins}/erasure-code
osd class dir = {classes}
admin socket =
log file =
log to stderr = false
err to stderr = true
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd objectstore = memstore
memstore device bytes = 8589934592
osd crush chooseleaf type = 0
osd crush update on start = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
mon max pg per osd = 1000
paxos propose interval = 0.05
"""
_MAY = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}
"""What everybody in the cluster may do there."""


@contextmanager
def radosgw_server() -> Iterator[S3Server]:
    """A cluster of its own, in memory, with one user."""
    ceph = unpacked(RADOSGW)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiolake-ceph-")))
        monitor, port = free_port(), free_port()
        _configure(ceph, home, monitor)

        def start(program: str, ready: Callable[[], bool], *options: str) -> None:
            command = [ceph.program(program), "-f", "-c", f"{home}/ceph.conf", *options]
            stack.enter_context(run(program, command, ready, variables=ceph.variables))

        start("ceph-mon", lambda: _listens(monitor), "-i", "a")
        ceph.call("ceph-osd", "-c", f"{home}/ceph.conf", "-i", "0", "--mkfs")
        start("ceph-osd", lambda: True, "-i", "0")
        # Without tcp_nodelay small answers wait 40 ms for an acknowledgement.
        listen = f"beast endpoint={LOCALHOST}:{port} tcp_nodelay=1"
        url = f"http://{LOCALHOST}:{port}"
        start(
            "radosgw",
            lambda: exchange("GET", url).status == 200,
            "--name=client.admin",
            f"--rgw-frontends={listen}",
        )
        _make_user(ceph, home)
        yield S3Server(url, _KEY, _SECRET)


def _configure(ceph: Unpacked, home: Path, monitor: int) -> None:
    """Write down who is who: one monitor and one disk, which a real cluster would learn."""
    address = f"[v2:{LOCALHOST}:{monitor}]"
    cluster = str(uuid.uuid4())
    (home / "ceph.conf").write_text(
        _CONFIGURATION.format(
            id=cluster,
            monitor=address,
            localhost=LOCALHOST,
            home=home,
            plugins=ceph.folder("ceph"),
            classes=ceph.folder("rados-classes"),
        )
    )
    for folder in ("mon", "osd", "rgw"):
        (home / folder).mkdir()
    keyring, monitors, disks = (str(home / name) for name in ("keyring", "monitors", "disks"))
    ceph.call("ceph-authtool", "--create-keyring", keyring)
    for name, may in _MAY.items():
        caps = [word for part, what in may.items() for word in ("--cap", part, what)]
        ceph.call("ceph-authtool", keyring, "--gen-key", "--name", name, *caps)
    configured = ("-c", str(home / "ceph.conf"))
    ceph.call(
        "monmaptool", *configured, "--create", "--fsid", cluster, "--addv", "a", address, monitors
    )
    ceph.call("osdmaptool", *configured, "--createsimple", "1", disks)
    made_of = ("--monmap", monitors, "--osdmap", disks, "--keyring", keyring)
    ceph.call("ceph-mon", *configured, "-i", "a", "--mkfs", *made_of)


def _make_user(ceph: Unpacked, home: Path) -> None:
    keys = ("--access-key", _KEY, "--secret", _SECRET)
    name = ("--uid", "tests", "--display-name", "tests")
    ceph.call("radosgw-admin", "-c", f"{home}/ceph.conf", "user", "create", *name, *keys)


def _listens(port: int) -> bool:
    with socket.create_connection((LOCALHOST, port)):
        return True
