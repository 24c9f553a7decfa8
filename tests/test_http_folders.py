"""Folders over HTTP are web pages of links; links may be dead."""

import threading

import pytest
from overhttp import Handler, list_files, listing_error, over_http

from audiosearch import AudioError
from audiosearch.audio.input_files import InputFiles
from audiosearch.audio.url_listing import list_url


@pytest.fixture
def web(music):
    """URL of the folder `music` over HTTP."""
    with over_http(music) as url:
        yield url


def test_a_page_of_links_is_listed_as_a_folder(web):
    names = ["deep/hiss2.wav", "high.wav", "hiss.flac", "low.wav", "tune.ogg"]
    assert list(list_files(f"{web}/")) == [f"{web}/{name}" for name in names]


def write_page(folder, *links):
    """Write a web page of links into a folder."""
    folder.mkdir(exist_ok=True)
    text = "".join(f'<a href="{link}">it</a>' for link in links)
    (folder / "index.html").write_text(text)


def test_a_dead_link_fails_only_its_own_file(music, web):
    write_page(music, "low.wav", "gone.wav", "broken.wav", "tune.ogg")
    input_files = InputFiles([f"{web}/"])
    names = ["low.wav", "tune.ogg", "broken.wav", "gone.wav"]
    assert input_files.paths == [f"{web}/{name}" for name in names]
    assert input_files.size_and_mtime(f"{web}/low.wav") == input_files.urls[f"{web}/low.wav"]
    with pytest.raises(AudioError, match=r"/gone\.wav: there is no such file"):
        input_files.size_and_mtime(f"{web}/gone.wav")
    with pytest.raises(AudioError, match=r"/broken\.wav: its server answers with status 500"):
        input_files.size_and_mtime(f"{web}/broken.wav")


def test_a_page_with_only_dead_links_raises_the_error_of_the_first_one(music, web):
    write_page(music, "gone.wav", "gone2.wav")
    with pytest.raises(AudioError, match=r"/gone\.wav: there is no such file"):
        InputFiles([f"{web}/"])


def test_a_folder_that_cannot_be_listed_fails_alone(music, web):
    write_page(music, "broken/", "deep/", "gone/", ".hidden/", "forbidden/")
    listing = list_url(f"{web}/")
    assert list(listing.files) == [f"{web}/deep/hiss2.wav"]
    assert {url: error.reason for url, error in listing.errors.items()} == {
        f"{web}/broken/": "its server answers with status 500",
        f"{web}/gone/": "there is no such folder",
        f"{web}/forbidden/": "access is denied",
    }


def test_relative_absolute_and_dotted_links_are_followed(music, web):
    write_page(
        music, "./low.wav", "/high.wav", f"{web}/tune.ogg", "./deep/", "./", "?sort=/", "../x.wav"
    )
    write_page(music / "deep", "./hiss2.wav", "..", "/deep/", "./.hidden.wav", "hiss2.wav?C=N")
    names = ["deep/hiss2.wav", "high.wav", "low.wav", "tune.ogg"]
    assert list(list_files(f"{web}/")) == [f"{web}/{name}" for name in names]


def test_exclude_patterns_apply_to_linked_folders(music, web):
    write_page(music, "broken/", "deep/", "low.wav", "high.wav")
    listing = list_url(f"{web}/", exclude=["deep/", "broken/", "h*"])
    assert (list(listing.files), listing.errors) == ([f"{web}/low.wav"], {})


def test_details_of_several_linked_files_are_requested_at_a_time(music, web, monkeypatch):
    barrier, head = threading.Barrier(3, timeout=20), Handler.do_HEAD

    def wait_for_three(handler):
        barrier.wait()
        head(handler)

    write_page(music, "low.wav", "high.wav", "tune.ogg")
    monkeypatch.setattr(Handler, "do_HEAD", wait_for_three)
    assert len(list_files(f"{web}/")) == 3
    assert not barrier.broken


@pytest.mark.parametrize("name", ["empty", "strict"])
def test_a_page_without_links_contains_no_audio_files(music, web, name):
    write_page(music / name)
    assert listing_error(f"{web}/{name}/")[0] == "it contains no audio files"
