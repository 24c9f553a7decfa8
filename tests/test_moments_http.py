"""Moments over HTTP: queries for stretches of tracks, and with parts of clips."""

import httpx
import pytest
import soundfile
from served import recordings, serving
from sounds import noise, write

from audiosearch import add, similar, similar_moments
from audiosearch.search.options import TimeRange

TIMES = ("start", "end", "match")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("moments")


@pytest.fixture(scope="module")
def ids(folder):
    """Ids of recordings in an index with moments; and another index of them, and clips."""
    ids = recordings(folder)
    add(folder / "plain", [folder / "music"], model="compact", n_jobs=1)
    samples, _ = soundfile.read(folder / "clip.wav", dtype="float32")
    write(folder / "soft.wav", samples / 8)
    write(folder / "long.wav", noise(20.0, seed=7))
    write(folder / "longer.wav", noise(70.0, seed=7))
    return ids


@pytest.fixture(scope="module")
def api(folder, ids):
    with (
        serving(folder, ids) as served,
        httpx.Client(base_url=f"{served.url}/api", timeout=60) as client,
    ):
        yield client


def upload(path):
    return {"file": ("clip", path.read_bytes())}


def hits_of(response):
    assert response.status_code == 200, response.text
    return response.json()["hits"]


def test_an_uploaded_clip_is_found_where_it_is(api, folder, ids):
    hits = hits_of(api.post("/query", files=upload(folder / "clip.wav"), data={"moments": "true"}))
    assert hits[0]["track"]["id"] == ids["long0.wav"]
    assert hits[0]["start"] == pytest.approx(7.0, abs=0.1)
    assert hits[0]["end"] == pytest.approx(9.0, abs=0.1)
    assert hits[0]["match"] > 0.9


@pytest.mark.parametrize("name", ["clip.wav", "soft.wav"])
def test_hits_equal_those_of_python(name, api, folder):
    hits = hits_of(api.post("/query", files=upload(folder / name), data={"moments": "true"}))
    expected = similar_moments(folder / "index", folder / name).hits
    assert [(hit["track"]["id"], hit["start"]) for hit in hits] == [
        (hit.track.id, pytest.approx(hit.start, abs=1e-3)) for hit in expected
    ]
    for hit, other in zip(hits, expected, strict=True):
        assert hit["similarity"] == pytest.approx(other.similarity, abs=1e-3)


def test_a_part_of_a_track_is_a_clip(api, folder, ids):
    data = {"track": ids["long1.wav"], "from": 6.0, "to": 8.5, "moments": "true", "per_track": 1}
    hits = hits_of(api.post("/query", data=data))
    expected = similar_moments(
        folder / "index", f"#{ids['long1.wav']}", part=TimeRange(6.0, 8.5), per_track=1
    ).hits
    assert [hit["track"]["id"] for hit in hits] == [hit.track.id for hit in expected]
    assert len({hit["track"]["id"] for hit in hits}) == len(hits)


def test_clips_to_avoid_and_filters_hold(api, folder, ids):
    data = {
        "moments": "true",
        "unlike": ids["long2.wav"],
        "only.seconds": "..100",
        "unless.under": str(folder / "none"),
        "k": 2,
    }
    hits = hits_of(api.post("/query", files=upload(folder / "clip.wav"), data=data))
    assert 1 <= len(hits) <= 2


@pytest.mark.parametrize("source", ["file", "track"])
def test_a_part_is_a_clip_without_moments_too(source, api, folder, ids):
    track = f"#{ids['long1.wav']}"
    clip = folder / "music" / "long1.wav"
    data = {"from": 6.0, "to": 9.0}
    files = upload(clip) if source == "file" else None
    data |= {} if files else {"track": ids["long1.wav"]}
    hits = hits_of(api.post("/query", files=files, data=data))
    expected = similar(folder / "index", track, part=TimeRange(6.0, 9.0)).hits
    if source == "track":  # an upload is not known to be a track, so that it finds that track
        assert [hit["track"]["id"] for hit in hits] == [hit.track.id for hit in expected]
    else:
        assert {hit["track"]["id"] for hit in hits} == set(ids.values())
    by_id = {hit["track"]["id"]: hit["similarity"] for hit in hits}
    for hit in expected:
        assert by_id[hit.track.id] == pytest.approx(hit.similarity, abs=1e-3)
    assert all(name not in hit for hit in hits for name in TIMES)


def test_without_moments_hits_have_the_keys_they_had(api, folder):
    hits = hits_of(api.post("/query", files=upload(folder / "clip.wav")))
    assert all(list(hit) == ["rank", "similarity", "sound_score", "track"] for hit in hits)


def test_the_interface_documents_moments(api):
    description = api.get("/openapi.json").json()
    schemas = description["components"]["schemas"]
    assert set(TIMES) <= schemas["MomentHit"]["properties"].keys()
    assert not set(TIMES) & schemas["Hit"]["properties"].keys()
    form = schemas["Body_query_api_query_post"]["properties"]
    assert {"moments", "per_track", "from", "to"} <= form.keys()


def test_health_says_whether_there_are_moments(api, folder):
    assert api.get("/health").json()["moments"] is True
    with serving(folder, {}, index=folder / "plain") as served:
        assert httpx.get(f"{served.url}/api/health").json()["moments"] is False
        answer = httpx.post(
            f"{served.url}/api/query", data={"moments": "true"}, files=upload(folder / "clip.wav")
        )
        assert answer.status_code == 409
        assert "has no moments" in answer.json()["error"]
        assert "refresh --moments" in answer.json()["hint"]
        assert str(folder) not in answer.text


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        pytest.param({"per_track": 2}, 400, "per_track needs moments", id="per track"),
        pytest.param({"moments": "true", "per_track": 0}, 422, "per_track", id="no hits a track"),
        pytest.param(
            {"moments": "true", "unlike": [1] * 10}, 400, "at most 10 clips", id="many clips"
        ),
        pytest.param({"from": -1}, 422, "from", id="negative"),
        pytest.param({"from": "nan"}, 422, "from", id="not a number"),
        pytest.param({"to": "inf"}, 422, "to", id="infinite"),
        pytest.param({"from": 1, "to": 1}, 400, "can't reach from 1 s to 1 s", id="empty"),
        pytest.param({"from": 2, "to": 1, "moments": "true"}, 400, "can't reach", id="reversed"),
        pytest.param({"from": 9}, 422, "no part of it can start at 9.0 s", id="beyond the end"),
        pytest.param({"to": 9, "moments": "true"}, 422, "can end at 9.0 s", id="over the end"),
        pytest.param({"from": 0, "track": 1}, 400, "exactly one clip", id="two clips"),
        pytest.param({"moments": "true", "whiten": "true"}, 400, "whitened", id="whiten"),
        pytest.param({"moments": "true", "unlike": 99}, 404, "#99 doesn't exist", id="no track"),
    ],
)
def test_a_wrong_request_is_a_sentence(data, status, words, api, folder):
    response = api.post("/query", files=upload(folder / "clip.wav"), data=data)
    assert response.status_code == status, response.text
    assert words in response.json()["error"]
    assert response.json()["hint"]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [pytest.param("long.wav", 20, id="whole"), pytest.param("longer.wav", 60, id="middle")],
)
def test_a_clip_longer_than_all_tracks_is_a_sentence(name, seconds, api, folder):
    response = api.post("/query", files=upload(folder / name), data={"moments": "true"})
    assert response.status_code == 409
    assert f"is {seconds}.0 s long, longer than all tracks" in response.json()["error"]


def test_a_missing_file_of_a_track_is_named_by_its_id_alone(api, folder, ids):
    path = folder / "music" / "long2.wav"
    moved = path.rename(folder / "away.wav")
    try:
        data = {"track": ids["long2.wav"], "moments": "true"}
        missing = api.post("/query", data=data)
        assert missing.status_code == 404
        response = api.post(
            "/query", files=upload(folder / "clip.wav"), data={"moments": "true", "k": 20}
        )
        assert "can't be compared" in " ".join(response.json()["warnings"])
        for answer in (missing, response):
            assert str(folder) not in answer.text
    finally:
        moved.rename(path)


def test_a_file_without_audio_is_an_error(api, folder):
    files = [
        ("file", ("clip.wav", (folder / "clip.wav").read_bytes())),
        ("file", ("notes.txt", b"no")),
    ]
    response = api.post("/query", files=files, data={"moments": "true"})
    assert response.status_code == 422
    assert response.json()["error"] == "notes.txt: it contains no audio that can be decoded"
