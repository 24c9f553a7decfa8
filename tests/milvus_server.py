"""Milvus Lite behind a port, as a server, with or without a token."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
from milvus_lite import MilvusLite
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from pymilvus.grpc_gen import milvus_pb2_grpc


class _TokenInterceptor(grpc.ServerInterceptor):
    """Refuse calls without the token, as a Milvus server does."""

    def __init__(self, token: str) -> None:
        self._expected = base64.b64encode(token.encode()).decode()

    def intercept_service(self, continuation, details):
        if dict(details.invocation_metadata).get("authorization") == self._expected:
            return continuation(details)

        def refuse(_, context):
            message = "auth check failure, please check username and password are correct"
            context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextlib.contextmanager
def milvus_server(folder: Path, token: str | None = None) -> Iterator[str]:
    """Serve a folder, and give HOST:PORT."""
    database = MilvusLite(str(folder))
    interceptors = [] if token is None else [_TokenInterceptor(token)]
    server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=interceptors)
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=2).wait()
        database.close()
