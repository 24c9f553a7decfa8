"""Connect to a Ray cluster, or start one on this machine, without any output from Ray."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any

from audiosearch.child_process import outside_working_directory
from audiosearch.errors import AudiosearchError, MissingExtra, UsageError
from audiosearch.ingest.ray.probe import NO_TOKEN, connection_error, is_host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTO, LOCAL = "auto", "local"


def is_address(word: str) -> bool:
    """Return whether a word is an address of a Ray cluster, "auto" or "local".

    Examples
    --------
    >>> [is_address(word) for word in ("auto", "10.0.0.1:6379", "ray://head:10001", "./music")]
    [True, True, True, False]
    """
    return word in (AUTO, LOCAL) or is_host_and_port(word)


@contextlib.contextmanager
def connected(address: str = AUTO) -> Iterator[int]:
    """Connect to a Ray cluster for the length of a block.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` or ``ray://HOST:PORT`` of a cluster; ``local`` for a new cluster on this
        machine; ``auto`` for the cluster that ``RAY_ADDRESS`` names, or else the one running on
        this machine, or else a new one on this machine.

    Yields
    ------
    int
        Number of CPUs of the cluster.

    Raises
    ------
    MissingExtra
        If Ray is not installed.
    UsageError
        If the address is invalid.
    AudiosearchError
        If no cluster answers at the address, or it can't be used.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as exc:
        raise MissingExtra("`audiosearch add --ray`", exc.name or "ray", "ray") from exc
    logging.getLogger("ray._private.services").setLevel(logging.CRITICAL)
    if ray.is_initialized():  # by the caller, who also shuts it down
        yield _n_cpus(ray)
        return
    cluster_address = _resolve(address)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_keep_sigterm_handler())
        stack.callback(ray.shutdown)
        is_local = cluster_address == LOCAL
        delayed = _delay_interrupt() if is_local else contextlib.nullcontext()
        try:
            # Ray's processes start in the working directory, and would import from there.
            with delayed, outside_working_directory(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the error says the same
                ray.init(
                    cluster_address,
                    include_dashboard=False if is_local else None,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                )
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as exc:
            raise _unusable(cluster_address, exc) from exc
        stack.enter_context(_no_output())
        yield _n_cpus(ray)


def _resolve(address: str) -> str | None:
    """Return the address of a running cluster; `LOCAL` to start one.

    Returns None for the cluster running on this machine: Ray finds it without an address. Only
    then does Ray send the cluster's token automatically.
    """
    if address == LOCAL:
        return LOCAL
    cluster_address = os.environ.get("RAY_ADDRESS") if address == AUTO else address
    if cluster_address and cluster_address not in (AUTO, LOCAL):
        _check(cluster_address)
        return cluster_address
    if cluster_address == LOCAL:
        return LOCAL
    from ray._private import services

    running = services.canonicalize_bootstrap_address(None)  # type: ignore[arg-type]
    # A cluster that crashed leaves its address behind.
    return None if running and connection_error(running) in (None, NO_TOKEN) else LOCAL


def _check(address: str) -> None:
    if not is_address(address):
        raise UsageError(
            f"{address} is not an address of a Ray cluster.",
            hint="Use --ray with HOST:PORT, ray://HOST:PORT, auto or local.",
        )
    problem = connection_error(address)
    if problem is not None:
        raise AudiosearchError(
            f"No Ray cluster answers at {address}: {problem.reason}.", hint=problem.hint
        )


def _unusable(address: str | None, error: Exception) -> AudiosearchError:
    location = "on this machine" if address in (LOCAL, None) else f"at {address}"
    reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return AudiosearchError(
        f"The Ray cluster {location} can't be used: {reason}.",
        hint="Use the same versions of Python and Ray on all machines. If the cluster requires a "
        "token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN. From a machine that is not a node, "
        "use ray://HOST:10001.",
    )


def _n_cpus(ray: Any) -> int:
    return int(ray.cluster_resources().get("CPU", 0))


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """Suppress messages from nodes, which Ray prints and has no setting against."""
    from ray._private import worker

    previous = worker._worker_logs_enabled  # noqa: SLF001
    worker._worker_logs_enabled = False  # noqa: SLF001
    try:
        yield
    finally:
        worker._worker_logs_enabled = previous  # noqa: SLF001


@contextlib.contextmanager
def _delay_interrupt() -> Iterator[None]:
    """Delay the effect of Ctrl-C until the end of a block.

    Starting a cluster takes seconds; an interrupted start leaves processes behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Restore the handler of SIGTERM at the end of a block, because Ray replaces it."""
    is_main_thread = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if is_main_thread:
            signal.signal(signal.SIGTERM, previous)
