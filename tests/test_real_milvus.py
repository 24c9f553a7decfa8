"""An index on a real Milvus server: it meets the specification of `Index`, and survives kills."""

import pytest
import test_interface
from milvus_server import emptied, real_milvus
from test_milvus import check_filtered_hits

# All tests and fixtures of the specification, which run with the `location` below here.
globals().update({k: v for k, v in vars(test_interface).items() if not k.startswith("__")})


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    with real_milvus(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture
def location(real_server, dimension):
    """Address of an index without rows."""
    return emptied(real_server.host, dimension)


def test_filtered_hits_equal_those_of_an_index_in_a_folder(location, tmp_path):
    check_filtered_hits(tmp_path / "index", location)
