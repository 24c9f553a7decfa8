"""The map that a server keeps: made once for all clients, with its progress."""

import asyncio
import json
import threading

import pytest
from test_map import filled

from audiosearch import Index
from audiosearch.soundmap import sound_map
from audiosearch.web.services import maps as served_maps
from audiosearch.web.services.index_executor import IndexExecutor
from audiosearch.web.services.maps import Maps


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path / "i", 12)


@pytest.fixture
def made(monkeypatch):
    """Let maps wait for `made.go`; `made.count` is the number of maps begun."""

    class Made:
        count = 0
        go = threading.Event()

    def slow(index, *, on_progress):
        Made.count += 1
        on_progress(0.25)
        Made.go.wait(20)
        return sound_map(index)

    monkeypatch.setattr(served_maps, "sound_map", slow)
    return Made


def served(folder, work):
    """Run a coroutine function of the maps of a folder."""
    executor = IndexExecutor(folder)
    try:
        return asyncio.run(work(Maps(folder, executor)))
    finally:
        executor.close()


async def begun(made):
    while not made.count:
        await asyncio.sleep(0.01)


def test_a_map_is_not_begun_again_if_its_client_leaves(folder, made):
    async def work(maps):
        first = asyncio.ensure_future(maps.current())
        await begun(made)
        first.cancel()
        others = asyncio.gather(maps.current(), maps.part("points"))
        await asyncio.sleep(0.05)
        made.go.set()
        current, points = await others
        assert current.parts["points"] == points

    served(folder, work)
    assert made.count == 1


def test_the_progress_is_known_while_a_map_is_made(folder, made):
    async def work(maps):
        before = maps.progress
        request = asyncio.ensure_future(maps.current())
        await begun(made)
        await asyncio.sleep(0.05)
        during = maps.progress
        made.go.set()
        await request
        return before, during, maps.progress

    assert served(folder, work) == (None, 0.25, None)


def test_all_parts_match_while_tracks_are_being_added(folder):
    async def work(maps):
        versions = []
        for number, name in enumerate(("points", "names", "neighbours", "points")):
            versions.append(json.loads(await maps.part(name))["version"])
            filled(folder, 13 + number, start=12 + number)
        return versions

    points, names, neighbours, later = served(folder, work)
    assert points == names == neighbours != later


def test_a_map_that_could_not_be_made_is_tried_again(folder):
    async def work(maps):
        with Index(folder) as index:
            tracks = [(track, index.vector(track)) for track in index]
            index.remove(list(index))
            with pytest.raises(Exception, match="empty"):
                await maps.current()
            index.add_all(tracks)
        return len(json.loads((await maps.current()).json)["ids"])

    assert served(folder, work) == 12
