"""A real S3 server (moto) in a process of its own, whose answers a test can look at and disturb."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from s3fs import S3FileSystem

KEY, SECRET = "AKIAEXAMPLE", "s3cret/+key"

#: The server, behind a door that counts what goes through, and that a test can tell to refuse.
_PROGRAM = """
import json, logging, sys, time
from collections import Counter
from threading import Lock
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidAccessKeyId</Code>'
    b"<Message>The AWS Access Key Id does not exist.</Message></Error>"
)

STATE = ("requests", "n_bytes", "most_open")

class Door:
    def __init__(self, app, key):
        self.app, self.key, self.lock = app, key, Lock()
        self.refusals, self.vanishing, self.requests, self.n_bytes = 0, [], [], 0
        self.silent, self.latency, self.n_open, self.most_open = [], 0.0, 0, 0
        self.needs_payer = False

    def __call__(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/-door":
            with self.lock:
                for name, value in json.loads(environ["wsgi.input"].read(
                    int(environ["CONTENT_LENGTH"] or 0)
                ) or "{}").items():
                    setattr(self, name, value)
                state = {name: getattr(self, name) for name in STATE}
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(state).encode()]
        with self.lock:
            query = environ["QUERY_STRING"]
            self.requests.append(f"{method} {path}" + (f"?{query}" if query else ""))
            is_refused = self.refusals > 0
            self.refusals -= is_refused
            self.n_open += 1
            self.most_open = max(self.most_open, self.n_open)
        time.sleep(self.latency)
        with self.lock:
            self.n_open -= 1
        if is_refused:
            return self.refuse(environ, start_response, "503 Slow Down", BUSY)
        is_known = f"Credential={self.key}/" in environ.get("HTTP_AUTHORIZATION", "")
        has_payer = environ.get("HTTP_X_AMZ_REQUEST_PAYER") == "requester"
        if not is_known or (self.needs_payer and not has_payer):
            return self.refuse(environ, start_response, "403 Forbidden", DENIED)
        if method == "GET" and any(path.endswith(name) for name in self.vanishing):
            environ["REQUEST_METHOD"] = "DELETE"
            b"".join(self.app(dict(environ), lambda *_: None))
            environ["REQUEST_METHOD"] = "GET"
        while method == "GET" and any(path.endswith(name) for name in self.silent):
            time.sleep(0.1)
        parts = self.app(environ, start_response)
        return self.counted(parts) if method == "GET" else parts

    def refuse(self, environ, start_response, status, body):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def counted(self, parts):
        for part in parts:
            with self.lock:
                self.n_bytes += len(part)
            yield part

class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass

app = Door(DomainDispatcherApplication(create_backend_app), sys.argv[1])
server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
print(server.port, flush=True)
server.serve_forever()
"""


@dataclass
class S3Server:
    """A server, and the bucket in use."""

    url: str
    client: object  # of boto3
    bucket: str = ""

    @property
    def music(self) -> str:
        """URL of a folder in the bucket."""
        return f"s3://{self.bucket}/music"

    def use_new_bucket(self) -> None:
        self.bucket = f"bucket{len(self.client.list_buckets()['Buckets'])}"
        self.client.create_bucket(Bucket=self.bucket)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in filter(Path.is_file, folder.rglob("*")):
            self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def door(self, **settings) -> dict:
        """Change the door, and return what went through it.

        refusals: number of requests to answer with 503; vanishing: ends of keys that are deleted
        when they are read; silent: ends of keys whose requests wait; latency: seconds before each
        answer; needs_payer: whether who reads must agree to pay; requests, n_bytes, most_open
        (requests that waited for answers at the same time): what went through, to start again.
        """
        return httpx.post(f"{self.url}/-door", content=json.dumps(settings)).json()


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server for the length of a block."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, KEY],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"
            client = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
            )
            yield S3Server(url, client)
        finally:
            process.kill()


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Set the environment of a user of the server; `variables` replace what it has."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **variables,
    }
    for name, value in settings.items():
        if value:
            monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # it has read the variables of before
