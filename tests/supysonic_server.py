"""A real Subsonic server (supysonic) in a process of its own, with a library of tagged songs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from audiosearch.http_client import CERTIFICATE_VARIABLES

USER, PASSWORD = "ann", "s3cret&+=%"

_PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from werkzeug.serving import WSGIRequestHandler, make_server
from supysonic.config import IniConfig
from supysonic.db import init_database, release_database
from supysonic.managers.folder import FolderManager
from supysonic.managers.user import UserManager
from supysonic.scanner import Scanner
from supysonic.web import create_application

class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, kind, message, *arguments):
        print(message % arguments, file=sys.stderr, flush=True)

music, data, user, password, port, *certificate = sys.argv[1:]
config = IniConfig([])
config.BASE["database_uri"] = f"sqlite:///{data}/supysonic.db"
config.WEBAPP.update(cache_dir=data, log_level="CRITICAL", mount_webui=False)
if not Path(data, "supysonic.db").exists():
    init_database(config.BASE["database_uri"])
    UserManager.add(user, password, admin=True)
    FolderManager.add("music", music)
    scanner = Scanner()
    scanner.queue_folder("music")
    scanner.run()
    release_database()
server = make_server(
    "127.0.0.1",
    int(port),
    create_application(config),
    threaded=True,
    request_handler=Quiet,
    ssl_context=(*certificate, *certificate) or None,
)
print(server.port, flush=True)
server.serve_forever()
"""


@dataclass
class SubsonicServer:
    """A server, and its process."""

    url: str
    port: int
    process: subprocess.Popen
    log: Path  # lines of the requests that it has answered

    @property
    def address(self) -> str:
        scheme = "subsonic+https" if self.url.startswith("https") else "subsonic"
        return f"{scheme}://{USER}@127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def certificates(folder: Path) -> tuple[Path, Path]:
    """Return the certificate of a new authority, and a key with a certificate by it, as files."""
    authority, server = folder / "authority.pem", folder / "server.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    return authority, server


def trust_only(file: Path, monkeypatch, variable: str = "SSL_CERT_FILE") -> None:
    """Let an environment variable name the file of trusted certificates, and no other one."""
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(file))


@contextlib.contextmanager
def supysonic(
    music: Path, data: Path, port: int = 0, *, certificate: Path | None = None
) -> Iterator[SubsonicServer]:
    """Serve a folder of music for the length of a block; it is scanned if `data` is empty.

    `certificate` is a file with a key and a certificate, for https.
    """
    arguments = [
        str(music),
        str(data),
        USER,
        PASSWORD,
        str(port),
        *map(str, filter(None, [certificate])),
    ]
    data.mkdir(exist_ok=True)
    log = data / "requests.log"
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            port = int(process.stdout.readline())
            scheme = "https" if certificate else "http"
            yield SubsonicServer(f"{scheme}://127.0.0.1:{port}", port, process, log)
        finally:
            process.kill()
