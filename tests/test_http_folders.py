"""Folders over HTTP: pages of links, some of which lead nowhere."""

import threading

import pytest
from audiosearch.audio.remote import InputFiles, listing
from overhttp import Handler, listed, over_http, sentence

from audiosearch import AudioError


@pytest.fixture
def web(music):
    """The sounds of `music`, over HTTP."""
    with over_http(music) as url:
        yield url


def test_a_page_of_links_is_a_folder(web):
    names = ["deep/hiss2.wav", "high.wav", "hiss.flac", "low.wav", "tune.ogg"]
    assert list(listed(f"{web}/")) == [f"{web}/{name}" for name in names]


def page(folder, *links):
    folder.mkdir(exist_ok=True)
    text = "".join(f'<a href="{link}">it</a>' for link in links)
    (folder / "index.html").write_text(text)


def test_a_link_that_is_dead_is_one_failed_file(music, web):
    page(music, "low.wav", "gone.wav", "broken.wav", "tune.ogg")
    sources = InputFiles([f"{web}/"])
    names = ["low.wav", "tune.ogg", "broken.wav", "gone.wav"]
    assert sources.paths == [f"{web}/{name}" for name in names]
    assert sources.size_and_time(f"{web}/low.wav") == sources.listed[f"{web}/low.wav"]
    with pytest.raises(AudioError, match=r"/gone\.wav: there is no such file"):
        sources.size_and_time(f"{web}/gone.wav")
    with pytest.raises(AudioError, match=r"/broken\.wav: its server answers with 500"):
        sources.size_and_time(f"{web}/broken.wav")


def test_a_page_of_dead_links_alone_ends_in_the_first_ones_sentence(music, web):
    page(music, "gone.wav", "gone2.wav")
    with pytest.raises(AudioError, match=r"/gone\.wav: there is no such file"):
        InputFiles([f"{web}/"])


def test_a_folder_that_fails_among_others_is_one_failed_file(music, web):
    page(music, "broken/", "deep/", "gone/", ".hidden/", "forbidden/")
    found = listing(f"{web}/")
    assert list(found.files) == [f"{web}/deep/hiss2.wav"]
    assert {url: error.reason for url, error in found.failed.items()} == {
        f"{web}/broken/": "its server answers with 500",
        f"{web}/gone/": "there is no such folder",
        f"{web}/forbidden/": "you may not read it",
    }


def test_links_are_followed_however_they_are_written(music, web):
    page(music, "./low.wav", "/high.wav", f"{web}/tune.ogg", "./deep/", "./", "?sort=/", "../x.wav")
    page(music / "deep", "./hiss2.wav", "..", "/deep/", "./.hidden.wav", "hiss2.wav?C=N")
    names = ["deep/hiss2.wav", "high.wav", "low.wav", "tune.ogg"]
    assert list(listed(f"{web}/")) == [f"{web}/{name}" for name in names]


def test_patterns_leave_folders_of_pages_out(music, web):
    page(music, "broken/", "deep/", "low.wav", "high.wav")
    found = listing(f"{web}/", exclude=["deep/", "broken/", "h*"])
    assert (list(found.files), found.failed) == ([f"{web}/low.wav"], {})


def test_several_files_of_a_page_are_asked_for_at_a_time(music, web, monkeypatch):
    together, head = threading.Barrier(3, timeout=20), Handler.do_HEAD

    def head_of_three(handler):
        together.wait()
        head(handler)

    page(music, "low.wav", "high.wav", "tune.ogg")
    monkeypatch.setattr(Handler, "do_HEAD", head_of_three)
    assert len(listed(f"{web}/")) == 3
    assert not together.broken


@pytest.mark.parametrize("name", ["empty", "strict"])
def test_a_page_without_links_holds_no_audio_file(music, web, name):
    page(music / name)
    assert sentence(f"{web}/{name}/")[0] == "no audio file is in there"
