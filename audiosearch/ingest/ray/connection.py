"""To a Ray cluster and back, or to one of one's own, without a word of Ray's."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

from audiosearch.errors import AudiosearchError, MissingExtra, UsageError
from audiosearch.ingest.ray.probe import NO_TOKEN, connection_error, is_host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTO, LOCAL = "auto", "local"


def is_address(word: str) -> bool:
    """Return whether a word is the address of a cluster, or stands for one.

    Examples
    --------
    >>> [is_address(word) for word in ("auto", "10.0.0.1:6379", "ray://head:10001", "./music")]
    [True, True, True, False]
    """
    return word in (AUTO, LOCAL) or is_host_and_port(word)


@contextlib.contextmanager
def connected(address: str = AUTO) -> Iterator[int]:
    """Use a Ray cluster for as long as a block lasts.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` or ``ray://HOST:PORT``; ``local`` for a cluster of one's own on this
        machine; ``auto`` for the one that ``RAY_ADDRESS`` names, or else the one that runs
        here, or else one of one's own.

    Yields
    ------
    int
        How many CPUs it has.

    Raises
    ------
    MissingExtra
        Where Ray is not installed.
    UsageError
        Where it is no address.
    AudiosearchError
        Where no cluster answers there, or it cannot be used.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as exc:
        raise MissingExtra("`audiosearch add --ray`", exc.name or "ray", "ray") from exc
    logging.getLogger("ray._private.services").setLevel(logging.CRITICAL)
    if ray.is_initialized():  # by whoever calls, and so it stays
        yield _n_cpus(ray)
        return
    where = _resolved(address)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_sigterm_kept())
        stack.callback(ray.shutdown)
        begun = _uninterrupted() if where == LOCAL else contextlib.nullcontext()
        try:
            with begun, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the error then says
                ray.init(
                    where,
                    include_dashboard=False if where == LOCAL else None,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                )
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as exc:
            raise _unusable(where, exc) from exc
        stack.enter_context(_quiet())
        yield _n_cpus(ray)


def _resolved(address: str) -> str | None:
    """Return where a cluster answers; `LOCAL` for one that is yet to be started.

    None for the one that runs here, which Ray finds, and whose token it has: it sends that to
    no address that was named, unless told to.
    """
    if address == LOCAL:
        return LOCAL
    named = os.environ.get("RAY_ADDRESS") if address == AUTO else address
    if named and named not in (AUTO, LOCAL):
        _check(named)
        return named
    if named == LOCAL:
        return LOCAL
    from ray._private import services

    running = services.canonicalize_bootstrap_address(None)  # type: ignore[arg-type]
    # One that crashed may have left its address behind.
    return None if running and connection_error(running) in (None, NO_TOKEN) else LOCAL


def _check(address: str) -> None:
    if not is_address(address):
        raise UsageError(
            f"{address} is no address of a Ray cluster.",
            hint="--ray takes HOST:PORT, ray://HOST:PORT, auto or local.",
        )
    silent = connection_error(address)
    if silent is not None:
        raise AudiosearchError(
            f"No Ray cluster answers at {address}: {silent.reason}.", hint=silent.hint
        )


def _unusable(address: str | None, error: Exception) -> AudiosearchError:
    where = "on this machine" if address in (LOCAL, None) else f"at {address}"
    reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return AudiosearchError(
        f"The Ray cluster {where} cannot be used: {reason}.",
        hint="All machines need the same versions of Python and Ray; where the cluster asks for a "
        "token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN; from a machine that is no node, use "
        "ray://HOST:10001.",
    )


def _n_cpus(ray: Any) -> int:
    return int(ray.cluster_resources().get("CPU", 0))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray print nothing of what its machines report, which no setting of it does."""
    from ray._private import worker

    before = worker._worker_logs_enabled  # noqa: SLF001
    worker._worker_logs_enabled = False  # noqa: SLF001
    try:
        yield
    finally:
        worker._worker_logs_enabled = before  # noqa: SLF001


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the end of a block, which takes seconds.

    A cluster that is started only by half leaves processes behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Take back the signal that Ray takes for itself."""
    is_ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, before)
