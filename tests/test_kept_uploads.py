"""Uploads that are kept: sent once, and searched with by their ids."""

import asyncio
import tempfile

import httpx
import numpy as np
import pytest
from served import recordings, serving
from sounds import encode, noise, tone, write

from audiosearch.audio.recording import AudioInfo
from audiosearch.embedding.embedder import Embedding
from audiosearch.errors import AudioError
from audiosearch.search.moments.clip import Clip
from audiosearch.system import read_at
from audiosearch.web.errors import RequestError
from audiosearch.web.limits import Limits
from audiosearch.web.services.playback import Playback
from audiosearch.web.services.uploads import Uploads


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def ids(folder):
    """Ids of recordings in an index with moments; and clips."""
    write(folder / "hiss.wav", noise(2.0, seed=9))
    encode(folder / "clip.mka", tone(440, 2.0, 48_000), 48_000, container="matroska", codec="ac3")
    return recordings(folder)


@pytest.fixture(scope="module")
def api(folder, ids):
    with (
        serving(folder, ids) as served,
        httpx.Client(base_url=f"{served.url}/api", timeout=60) as client,
    ):
        yield client


def keep(api, path, **parameters):
    response = api.post(
        "/uploads", files={"file": (path.name, path.read_bytes())}, params=parameters
    )
    assert response.status_code == 200, response.text
    return response.json()


def query(api, **data):
    response = api.post("/query", data=data)
    assert response.status_code == 200, response.text
    return response.json()["hits"]


def sent(api, path, **data):
    files = {"file": (path.name, path.read_bytes())}
    return api.post("/query", files=files, data=data).json()["hits"]


def test_an_upload_is_described_with_its_peaks(api, folder):
    upload = keep(api, folder / "clip.wav")
    assert set(upload) == {"id", "name", "seconds", "peaks", "expires"}
    assert len(upload["id"]) * 6 >= 128
    assert upload["name"] == "clip.wav"
    assert upload["seconds"] == pytest.approx(2.0)
    assert len(upload["peaks"]) == 800
    assert max(upload["peaks"]) == 1.0
    assert 3_590 < upload["expires"] <= 3_600
    again = api.get(f"/uploads/{upload['id']}").json()
    assert again == upload


@pytest.mark.parametrize(
    ("file_name", "name", "expected"),
    [
        pytest.param("C:\\fakepath\\a.wav", "", "a.wav", id="folder"),
        pytest.param("/home/me/a.wav", "", "a.wav", id="path"),
        pytest.param("a.wav", "My clip", "My clip", id="given"),
        pytest.param("a" * 300, "", "a" * 200, id="long"),
        pytest.param("a.wav", "a\x07b", "a b", id="control character"),
    ],
)
def test_an_upload_has_the_name_of_its_file_unless_one_is_given(
    file_name, name, expected, api, folder
):
    files = {"file": (file_name, (folder / "hiss.wav").read_bytes())}
    upload = api.post("/uploads", files=files, params={"name": name}).json()
    assert upload["name"] == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="tracks"),
        pytest.param({"moments": "true"}, id="moments"),
        pytest.param({"from": 0.5, "to": 1.8}, id="part"),
        pytest.param({"from": 0.5, "to": 1.8, "moments": "true"}, id="part for moments"),
        pytest.param({"only.seconds": "1..100", "k": 2}, id="filters"),
    ],
)
def test_a_kept_upload_finds_what_the_file_finds(data, api, folder):
    upload = keep(api, folder / "clip.wav")
    expected = sent(api, folder / "clip.wav", **data)
    for _ in range(2):  # the second time with what the first one has kept
        assert query(api, upload=upload["id"], **data) == expected


def test_several_uploads_and_tracks_are_averaged(api, folder, ids):
    first, second = keep(api, folder / "clip.wav"), keep(api, folder / "hiss.wav")
    hits = query(api, upload=[first["id"], second["id"]], track=ids["long1.wav"])
    files = [("file", (folder / name).read_bytes()) for name in ("clip.wav", "hiss.wav")]
    expected = api.post("/query", files=files, data={"track": ids["long1.wav"]}).json()["hits"]
    assert hits == expected


@pytest.mark.parametrize("moments", ["false", "true"])
def test_hits_move_away_from_an_upload(moments, api, folder, ids):
    data = {"track": ids["long0.wav"], "moments": moments, "k": 30}
    plain = query(api, **data)
    best = next(name for name, i in ids.items() if i == plain[0]["track"]["id"])
    avoided = keep(api, folder / "music" / best)["id"]
    assert query(api, **data, unlike_upload=avoided) != plain


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param({"upload": "nothing"}, 404, id="query"),
        pytest.param({"unlike_upload": "nothing"}, 404, id="unlike"),
        pytest.param({"upload": ["nothing"] * 11}, 422, id="too many"),
        pytest.param({"upload": "a" * 101}, 422, id="too long"),
    ],
)
def test_a_wrong_id_in_a_query_is_a_sentence(data, status, api):
    response = api.post("/query", data=data)
    assert response.status_code == status
    assert response.json()["error"]
    assert response.json()["hint"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/audio"), ("DELETE", "")], ids=str
)
def test_an_unknown_upload_is_missing(method, path, api):
    response = api.request(method, f"/uploads/nothing{path}")
    assert response.status_code == 404
    assert response.json()["error"] == "The upload doesn't exist, or isn't kept any more."
    assert "kept for 1 h" in response.json()["hint"]


def test_too_many_uploads_for_moments_are_refused(api, folder):
    upload = keep(api, folder / "clip.wav")["id"]
    others = [keep(api, folder / "hiss.wav")["id"] for _ in range(10)]
    response = api.post(
        "/query", data={"upload": upload, "unlike_upload": others, "moments": "true"}
    )
    assert response.status_code == 400
    assert "at most 10 clips" in response.json()["error"]


def test_a_part_needs_one_clip(api, folder):
    upload = keep(api, folder / "clip.wav")["id"]
    response = api.post("/query", data={"upload": upload, "track": 1, "from": 1})
    assert response.status_code == 400
    assert "exactly one clip" in response.json()["error"]


def test_the_audio_of_an_upload_plays_in_parts(api, folder):
    content = (folder / "clip.wav").read_bytes()
    address = f"/uploads/{keep(api, folder / 'clip.wav')['id']}/audio"
    whole = api.get(address)
    assert whole.content == content
    assert whole.headers["content-type"] == "audio/wav"
    part = api.get(address, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == content[10:20]
    assert api.get(address, headers={"Range": "bytes=9999999-"}).status_code == 416


@pytest.mark.parametrize(
    ("name", "parameters"), [("clip.mka", {}), ("clip.wav", {"format": "mp3"})]
)
def test_audio_that_browsers_cannot_play_is_converted(name, parameters, api, folder):
    address = f"/uploads/{keep(api, folder / name)['id']}/audio"
    response = api.get(address, params=parameters)
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/mpeg"


def test_a_deleted_upload_is_gone(api, folder):
    upload = keep(api, folder / "clip.wav")["id"]
    assert api.delete(f"/uploads/{upload}").status_code == 204
    assert api.get(f"/uploads/{upload}").status_code == 404
    assert api.delete(f"/uploads/{upload}").status_code == 404


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        pytest.param("notes.txt", "notes.txt", id="name"),
        pytest.param(r"C:\\Texts\\notes.txt", "notes.txt", id="path on Windows"),
        pytest.param("", "The file", id="none"),
    ],
)
def test_a_file_without_audio_is_an_error_with_its_name(api, filename, shown):
    disposition = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
    body = f"--x\r\n{disposition}\r\n\r\nno sound\r\n--x--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = api.post("/uploads", content=body, headers=headers)
    assert response.status_code == 422
    assert response.json()["error"] == f"{shown}: it contains no audio that can be decoded"


@pytest.mark.parametrize("data", [{}, {"moments": "true"}], ids=["tracks", "moments"])
def test_a_part_beyond_the_end_of_an_upload_is_an_error_with_its_name(api, folder, data):
    upload = keep(api, folder / "clip.wav", name="Bells")["id"]
    response = api.post("/query", data={"upload": upload, "from": 100} | data)
    assert response.status_code == 422
    assert response.json()["error"].startswith("Bells: it is ")


class NoEmbedding:
    """Embeds any file as the same vector."""

    async def embed_with_waveform(self, _, *, name):
        embedding = Embedding(np.ones(2, np.float32), AudioInfo(8_000, 1, 1.0, "wav"), 1.0, None)
        return embedding, bytes(800)


async def added(uploads, content=bytes(100), name=""):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        return await uploads.add(file, name)


def kept(steps, **limits):
    """Run steps with an empty store of uploads; returns the ids of those that were dropped."""
    dropped = []

    async def run():
        uploads = Uploads(
            NoEmbedding(), Limits(**limits), on_drop=lambda one: dropped.append(one.id)
        )
        await steps(uploads)

    asyncio.run(run())
    return dropped


def test_the_uploads_that_were_not_used_for_longest_make_room_for_others():
    ids = []

    async def steps(uploads):
        for number in range(6):
            ids.append((await added(uploads)).id)
            if number:
                uploads.get(ids[0])

    assert kept(steps, kept_bytes=350) == ids[1:4]
    ids.clear()
    assert kept(steps, kept_uploads=2) == ids[1:5]


def test_clips_of_queries_count_towards_the_size_of_all_uploads(folder):
    async def steps(uploads):
        first, second = [await added(uploads) for _ in range(2)]
        clip = Clip(np.zeros((100, 64), np.float32), (), 1.0)
        uploads.keep_clip(second, (None, 0.96), (clip, None))
        assert second.n_bytes == 100 + clip.frames.nbytes
        assert not uploads.has(first)
        uploads.keep_clip(second, (None, 0.48), (clip, None))
        assert uploads.has(second)

    assert len(kept(steps, kept_bytes=25_750)) == 1


def test_an_upload_is_kept_until_some_time_after_its_last_use():
    async def steps(uploads):
        upload = await added(uploads)
        for _ in range(4):
            await asyncio.sleep(0.2)
            assert uploads.get(upload.id) is upload
        await asyncio.sleep(0.6)
        assert not uploads.has(upload)  # although nobody has asked for it
        with pytest.raises(RequestError):
            uploads.get(upload.id)

    assert len(kept(steps, kept_seconds=0.4)) == 1


def test_a_dropped_upload_is_deleted_once_nothing_uses_it():
    async def steps(uploads):
        upload = await added(uploads, b"content")
        uploads.remove(upload.id)
        with upload.open() as file:
            assert read_at(file.fileno(), 100, 0) == b"content"
        closed = upload._file
        del upload
        assert closed.closed

    kept(steps)


@pytest.mark.parametrize(
    ("name", "shown"), [("talk.wav", "The clip talk.wav"), ("", "The clip")], ids=["name", "none"]
)
def test_an_upload_that_cannot_be_played_is_an_error_with_its_name(name, shown):
    async def steps(uploads):
        upload, playback = await added(uploads, b"no sound", name), Playback()
        with pytest.raises(AudioError, match=f"^{shown}: it can't be played$"):
            await playback.playable_file(upload.open(), upload.label, key=upload.id)

    kept(steps)


def test_a_clip_that_is_dropped_during_a_query_is_still_used(api, folder):
    content = (folder / "clip.wav").read_bytes()
    address = f"/uploads/{keep(api, folder / 'clip.wav')['id']}"
    with api.stream("GET", f"{address}/audio") as response:
        api.delete(address)
        assert response.read() == content
