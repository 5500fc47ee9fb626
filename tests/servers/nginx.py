"""Static files by ``nginx``: so cheap to serve that what a client costs can be seen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.debian import Unpacked, debian_environment, unpacked
from tests.servers.http import exchange
from tests.servers.processes import LOCALHOST, free_port, run

__all__ = ["LATE_S", "NGINX", "NginxServer", "nginx_server"]

NGINX = debian_environment("nginx", "nginx", "libnginx-mod-http-echo")

LATE_S = 0.02
"""How long the late servers wait before the first byte, as a bucket in the same region does."""

_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {home}/nginx.pid;
error_log stderr warn;
load_module {modules}/ngx_http_echo_module.so;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=1h;
    open_file_cache_valid 1s;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    ssl_certificate {certificate.chain};
    ssl_certificate_key {certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    root {root};
    {servers}
}}
"""
_AT_ONCE = "server {{ listen {address}; }}"
_LATE = """
server {{
    listen {address};
    location / {{ echo_sleep {late_s}; echo_exec @file; }}
    location @file {{ }}
    location = /bucket {{ echo_sleep {late_s}; echo_exec @page; }}
    location @page {{ rewrite ^ /pages/$arg_prefix break; }}
}}
"""


@dataclass(frozen=True, slots=True)
class NginxServer:
    """A folder, at four addresses.

    Attributes:
        root: The folder: put files into it, before they are asked for.
        url: Where they are, at once.
        late_url: And after ``LATE_S``; a listing of ``bucket`` there is the file
            ``pages/<prefix as encoded>``.
        tls_url: By TLS.
        late_tls_url: By TLS after ``LATE_S``.
        ca: The certificate to trust.
    """

    root: Path
    url: str
    late_url: str
    tls_url: str
    late_tls_url: str
    ca: Path


@contextmanager
def nginx_server(certificate: Certificate) -> Iterator[NginxServer]:
    """An nginx of its own, with an empty folder."""
    files = unpacked(NGINX)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aiolake-nginx-")))
        root = home / "root"
        root.mkdir()
        ports = [free_port() for _ in range(4)]
        _configure(files, home, root, certificate, ports)
        url, late, tls, late_tls = (
            f"{protocol}://{LOCALHOST}:{port}"
            for protocol, port in zip(("http", "http", "https", "https"), ports, strict=True)
        )
        command = [files.program("nginx"), "-p", str(home), "-c", f"{home}/nginx.conf"]
        stack.enter_context(
            run("nginx", command, lambda: exchange("GET", url).status < 500, directory=home)
        )
        yield NginxServer(root, url, late, tls, late_tls, certificate.ca)


def _configure(
    files: Unpacked, home: Path, root: Path, certificate: Certificate, ports: list[int]
) -> None:
    servers = [
        template.format(address=f"{LOCALHOST}:{port}{tls}", late_s=LATE_S)
        for template, port, tls in zip(
            (_AT_ONCE, _LATE, _AT_ONCE, _LATE), ports, ("", "", " ssl", " ssl"), strict=True
        )
    ]
    (home / "nginx.conf").write_text(
        _CONFIGURATION.format(
            home=home,
            root=root,
            # Started by root it would be nobody, who may not look into our folder.
            user="user root;" if os.geteuid() == 0 else "",
            modules=files.root / "usr" / "lib" / "nginx" / "modules",
            certificate=certificate,
            servers="".join(servers),
        )
    )
