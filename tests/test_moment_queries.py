"""Moments are found by how they sound: `audiosearch.similar_moments`."""

import os
from dataclasses import replace

import numpy as np
import pytest
from sounds import melody, noise, tone, write

from audiosearch import (
    AudioError,
    Index,
    LibraryError,
    TrackNotFound,
    UsageError,
    similar,
    similar_moments,
)
from audiosearch.embedding.patch_reader import PatchReader
from audiosearch.ingest.add import add
from audiosearch.library.filters import Filters
from audiosearch.library.track import EmbeddingSpec, Track
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.models.moments import Moments, PatchSounds
from audiosearch.models.patch_print import patch_prints
from audiosearch.models.registry import AUTO_REQUEST, compact
from audiosearch.models.tagger import sound_names
from audiosearch.search.moments.alignment import Run
from audiosearch.search.moments.clip import Clip
from audiosearch.search.moments.clips import QueryClips
from audiosearch.search.moments.moment_query import MomentQuery
from audiosearch.search.moments.moment_search import MomentSearch
from audiosearch.search.moments.places import Comparison, Place
from audiosearch.search.moments.print_candidates import PrintedTracks
from audiosearch.search.moments.spectrogram_match import best_shift
from audiosearch.search.options import SearchOptions, TimeRange
from audiosearch.search.part_frames import stretch_reader

RATE = 16_000
SECONDS = 20.0
#: Samples of the tracks, by name.
TRACKS = {
    "a": melody(SECONDS, seed=1),
    "b": melody(SECONDS, seed=2),
    "c": np.concatenate([melody(8, seed=3), noise(4, seed=3), melody(8, seed=4)]),
    "d": np.concatenate([tone(300, 6), noise(8, seed=9), tone(900, 6)]).astype(np.float32),
}


def sounds_of(n_patches, **patches):
    """Return sounds of patches, given the patches in which each is heard: Dog=(1, 2)."""
    heard = sorted(
        (patch, sound_names().index(name)) for name, where in patches.items() for patch in where
    )
    counts = np.bincount([patch for patch, _ in heard], minlength=n_patches).astype(np.uint8)
    classes = np.array([number for _, number in heard], dtype=np.uint16)
    return PatchSounds(counts, classes, np.full(len(heard), 204, dtype=np.uint8))


def index_of(folder, hop=0.96):
    """Make files and an index of them, with moments."""
    paths = [str(write(folder / f"{name}.wav", samples)) for name, samples in TRACKS.items()]
    location = folder / "index"
    add(location, paths, model="compact", moments=True, moment_hop=hop, n_jobs=1)  # ids in order
    with Index(location) as index:
        for track in index:
            moments = index.moments_of(track)
            index.moments.put({track.id: replace(moments, sounds=sounds_of(len(moments)))})
    return location


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moments")
    index_of(folder)
    return folder


@pytest.fixture(scope="module")
def index(folder):
    with Index(folder / "index") as index:
        yield index


def clip(path, name, start, seconds, gain=0.5):
    """Write a clip of a track."""
    samples = TRACKS[name][round(start * RATE) : round((start + seconds) * RATE)]
    return write(path / f"{name}-{start}-{seconds}.wav", gain * samples)


def found(result):
    return [(os.path.basename(hit.track.path)[0], hit.start) for hit in result.hits]


@pytest.mark.parametrize(
    ("name", "start", "seconds"),
    [
        pytest.param("a", 5.33, 4.0, id="between two patches"),
        pytest.param("b", 0.0, 3.0, id="at the start"),
        pytest.param("b", 16.9, 3.1, id="at the end"),
        pytest.param("c", 12.5, 0.5, id="shorter than a patch"),
        pytest.param("a", 0.0, 20.0, id="the whole track"),
    ],
)
def test_a_clip_of_a_track_is_found_first_at_its_time(index, tmp_path, name, start, seconds):
    hit, *others = similar_moments(index, clip(tmp_path, name, start, seconds)).hits
    assert os.path.basename(hit.track.path) == f"{name}.wav"
    assert hit.start == pytest.approx(start, abs=0.05)
    assert hit.end - hit.start == pytest.approx(seconds, abs=0.05)
    assert hit.match > 0.8
    assert hit.is_same_recording
    assert all(other.match is None or other.match < 0.8 for other in others)


def test_both_recordings_in_a_mix_are_found(index, tmp_path):
    parts = [TRACKS["a"][80_000:160_000], TRACKS["b"][32_000:112_000]]
    path = write(tmp_path / "mix.wav", 0.4 * sum(part / np.abs(part).max() for part in parts))
    best = found(similar_moments(index, path))[:3]
    for expected in (("a", 5.0), ("b", 2.0)):
        assert any(name == expected[0] and abs(start - expected[1]) < 0.1 for name, start in best)


@pytest.mark.parametrize(
    ("hop", "n_words"), [pytest.param(0.96, 16, id="0.96"), pytest.param(0.48, 8, id="0.48")]
)
def test_add_keeps_the_prints_of_patches(tmp_path, hop, n_words):
    with Index(index_of(tmp_path, hop=hop)) as index:
        prints = dict(index.moments.prints())
        for track in index:
            with PatchReader(track.path, hop_seconds=hop) as reader:
                patches = np.concatenate(list(reader))
            expected = patch_prints(patches)[:, :n_words]
            np.testing.assert_array_equal(prints[track.id], expected)
            np.testing.assert_array_equal(index.moments_of(track).prints, expected)


def random_frames(n, seed):
    """Return log-mel frames that change slowly: float32, shape (n, 64)."""
    steps = np.random.default_rng(seed).standard_normal((n, 64))
    return (steps.cumsum(axis=0) / 9).astype(np.float32)


@pytest.fixture(scope="module")
def printed():
    """The frames of two tracks of 20 s and the prints of both."""
    sounds = [random_frames(1_920, seed) for seed in range(2)]
    prints = ((n, patch_prints(frames.reshape(-1, 96, 64))) for n, frames in enumerate(sounds))
    return sounds, PrintedTracks.of(prints)


def test_the_nearest_prints_are_those_at_the_place_of_the_clip(printed):
    sounds, prints = printed
    clip = sounds[1][703:1_103]
    best, second = prints.nearest(clip, 2, seconds=4.0)
    assert (best.track_id, best.start) == (1, pytest.approx(7.03, abs=0.03))
    assert (second.track_id != 1) or abs(second.start - best.start) >= 4
    assert prints.only(np.array([0])).nearest(clip, 1, seconds=4.0)[0].track_id == 0
    assert prints.nearest(clip[:100], 1, seconds=1.0) == []  # too short to tell


def test_prints_find_a_recording_that_another_one_covers(printed):
    sounds, prints = printed
    other = random_frames(400, seed=9) + sounds[0][500:900].mean()
    clip = np.maximum(sounds[0][500:900], other)  # in each band and frame one of them is louder
    (best,) = prints.nearest(clip, 1, seconds=4.0)
    assert (best.track_id, best.start) == (0, pytest.approx(5.0, abs=0.06))


def test_a_place_of_prints_lies_in_one_track(printed):
    sounds, prints = printed
    clip = np.concatenate([sounds[0][-200:], sounds[1][:200]])
    for place in prints.nearest(clip, 5, seconds=4.0):
        assert place.start <= 19.2 - 4 + PATCH_HOP_SECONDS  # the unfilled patch at a file's end


@pytest.mark.parametrize("track_id", [0, 1, 2])
@pytest.mark.parametrize("first", [0, 3])
def test_prints_find_a_clip_that_ends_with_the_file(track_id, first):
    sounds = [random_frames(470, seed) for seed in range(3)]  # of four patches and 0.86 s
    prints = PrintedTracks.of(
        (n, patch_prints(frames[:384].reshape(-1, 96, 64))) for n, frames in enumerate(sounds)
    )
    for chosen in (prints, prints.only(np.array([track_id]))):
        best = chosen.nearest(sounds[track_id][first:], 1, seconds=4.7)[0]
        assert (best.track_id, best.start) == (track_id, pytest.approx(first / 100, abs=0.06))


def test_hits_do_not_overlap_and_are_few_of_each_track(index, tmp_path):
    path = clip(tmp_path, "a", 5.33, 2.0)
    hits = similar_moments(index, path, k=20, per_track=2).hits
    by_track = {}
    for hit in hits:
        by_track.setdefault(hit.track.id, []).append(hit)
    assert all(len(group) <= 2 for group in by_track.values())
    assert max(map(len, by_track.values())) == 2
    for first, second in (group for group in by_track.values() if len(group) == 2):
        assert first.end <= second.start or second.end <= first.start


def test_order_counts():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    run = Run(0, vectors, is_start=True, is_end=True, hop=0.96)

    def similarity(order):
        example = Clip(np.zeros((288, 64), np.float32), (vectors[order],), 2.88)
        return run.alignments(example, 2.88)

    in_order = similarity([1, 2, 3])
    assert run.starts[in_order.argmax()] == 4  # 0.96 s
    assert in_order.max() == pytest.approx(1)
    assert similarity([3, 2, 1]).max() < 0.9


def test_a_steady_sound_is_not_the_same_recording_as_another_one_with_the_same_spectrum():
    rng = np.random.default_rng(0)
    spectrum = np.linspace(-4, 0, 64)
    first, second = (spectrum + 0.1 * rng.standard_normal((300, 64)) for _ in range(2))
    assert best_shift(first[50:200].astype(np.float32), first.astype(np.float32)) == (
        50,
        pytest.approx(1, abs=0.02),
    )
    assert best_shift(first[50:200].astype(np.float32), second.astype(np.float32))[1] < 0.3


def test_a_file_that_is_gone_or_changed_keeps_its_place_with_a_warning(tmp_path):
    location = index_of(tmp_path)
    path = clip(tmp_path, "a", 5.33, 4.0)
    (tmp_path / "a.wav").unlink()
    result = similar_moments(location, path)
    hit = result.hits[0]
    assert os.path.basename(hit.track.path) == "a.wav"
    assert hit.match is None
    assert hit.start == pytest.approx(5.33, abs=0.15)
    (warning,) = result.warnings
    assert "1 file" in warning
    assert "a.wav" in warning


def test_part_of_a_clip_is_the_query(index, folder):
    whole = folder / "a.wav"
    result = similar_moments(
        index, whole, part=TimeRange(5, 9), options=SearchOptions(include_self=True)
    )
    assert found(result)[0] == ("a", pytest.approx(5, abs=0.05))


def test_the_place_of_the_clip_itself_is_left_out_but_not_others_in_its_track(index):
    result = similar_moments(index, "#1", part=TimeRange(5, 9), k=20)
    own = [hit for hit in result.hits if hit.track.id == 1]
    assert own
    assert all(hit.end <= 5.1 or hit.start >= 8.9 for hit in own)


def test_a_stretch_that_was_moved_has_the_similarity_of_where_it_is_now():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((8, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    run = Run(0, vectors, is_start=True, is_end=True, hop=0.96)
    example = Clip(np.zeros((192, 64), np.float32), (vectors[[4, 5]],), 1.92)
    track = Track("a.wav", 1, 1, "a", 7.68, 16_000, 1, "wav", id=1)
    places = [Place(1, start, start + 1.92, 0.5, 0.5, match=0.9) for start in (3.8, 1.0)]

    def similarities(lowest):
        options = SearchOptions(min_similarity=lowest)
        moved = Comparison([example], [], options).realigned(places, run, track)
        return [place.similarity for place in moved]

    assert similarities(None) == [
        pytest.approx(1),
        pytest.approx(vectors[4] @ vectors[1] / 2 + vectors[5] @ vectors[2] / 2, abs=1e-5),
    ]
    assert similarities(0.9) == [pytest.approx(1)]


def test_a_stretch_that_is_moved_to_the_place_of_the_clip_has_the_similarity_there(index, tmp_path):
    clips = QueryClips(index, AUTO_REQUEST, hop=PATCH_HOP_SECONDS)
    clips.add_all(clip(tmp_path, "a", 5.33, 4.0))
    search = MomentSearch(index, MomentQuery(clips.clips, [], 10, 3), stretch_reader(index))
    best = search.nearest()[0]
    beside = replace(best, start=best.start + 0.5, end=best.end + 0.5, similarity=0.1)
    (moved,) = search.compared([beside])
    assert moved.start == pytest.approx(5.33, abs=0.05)
    assert moved.similarity == pytest.approx(best.similarity, abs=1e-5)


def test_part_of_a_clip_is_a_query_for_tracks_too(index, folder):
    options = SearchOptions(include_self=True)
    part = TimeRange(6.5, 13)
    of_track = similar(index, "#4", part=part, options=options).hits
    samples = TRACKS["d"][round(6.5 * RATE) : 13 * RATE]
    cut = similar(index, write(folder / "part.wav", samples), options=options).hits
    assert [hit.track.id for hit in of_track] == [hit.track.id for hit in cut]
    for one, other in zip(of_track, cut, strict=True):
        assert one.similarity == pytest.approx(other.similarity, abs=1e-3)
    whole = similar(index, "#4", options=options).hits
    assert abs(whole[0].similarity - of_track[0].similarity) > 0.01


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        pytest.param("a", 2.0, 5.0, id="near the start"),
        pytest.param("a", 0.7, 1.2, id="shorter than a patch"),
        pytest.param("a", 14.5, 18.3, id="near the end"),
        pytest.param("d", 0.5, 3.0, id="steady"),
    ],
)
def test_no_hit_overlaps_the_clip_itself(index, name, start, end):
    own = 1 + list(TRACKS).index(name)
    part = TimeRange(start, end)
    hits = similar_moments(index, f"#{own}", part=part, k=40, per_track=20).hits
    overlaps = [hit for hit in hits if hit.track.id == own and hit.start < end and hit.end > start]
    assert not overlaps


def test_hits_are_as_long_as_the_clip_and_lie_in_their_tracks(index, tmp_path):
    lead_in = np.concatenate([noise(1.5, seed=7), TRACKS["a"][: 4 * RATE]])
    lead_out = np.concatenate([TRACKS["a"][-4 * RATE :], noise(1.5, seed=7)])
    for number, samples in enumerate((lead_in, lead_out)):
        path = write(tmp_path / f"{number}.wav", samples)
        hits = similar_moments(index, path, k=40, per_track=20).hits
        assert hits
        for hit in hits:
            assert hit.end - hit.start == pytest.approx(5.5, abs=0.05)
            assert 0 <= hit.start < hit.end <= hit.track.seconds


@pytest.mark.parametrize("search", [similar, similar_moments])
@pytest.mark.parametrize(
    ("clips", "part"),
    [
        pytest.param(["#1"], TimeRange(-1, 2), id="before the start"),
        pytest.param(["#1"], TimeRange(float("nan"), 2), id="start is no number"),
        pytest.param(["#1"], TimeRange(1, float("nan")), id="end is no number"),
        pytest.param(["#1"], TimeRange(3, 2), id="backwards"),
        pytest.param(["#1"], TimeRange(2, 2), id="empty"),
        pytest.param(["#1", "#2"], TimeRange(1, 2), id="two clips"),
        pytest.param([], TimeRange(1, 2), id="no clip"),
    ],
)
def test_an_invalid_part_is_refused(index, search, clips, part):
    with pytest.raises(UsageError) as caught:
        search(index, clips, part=part)
    assert caught.value.hint


@pytest.mark.parametrize("search", [similar, similar_moments])
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(TimeRange(25), id="start"),
        pytest.param(TimeRange(20), id="start at the end"),
        pytest.param(TimeRange(5, 30), id="end"),
    ],
)
def test_a_part_beyond_the_end_is_refused_with_the_length_of_the_clip(index, search, part):
    with pytest.raises(AudioError, match=r"20\.0 s long") as caught:
        search(index, "#1", part=part)
    assert caught.value.hint


def test_an_empty_name_of_a_clip_or_file_is_a_sentence(index):
    for options in ({"clips": ""}, {"clips": "#1", "within": ""}):
        with pytest.raises(TrackNotFound, match=r"^An empty text is neither a track") as caught:
            similar_moments(index, **options)
        assert caught.value.hint


def test_a_part_of_a_playlist_is_refused(index, tmp_path):
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n")
    with pytest.raises(UsageError, match="playlist"):
        similar(index, playlist, part=TimeRange(1, 2))


def test_a_track_at_a_url_that_does_not_answer_is_no_clip(tmp_path):
    path = "https://127.0.0.1:1/a.wav"
    spec = EmbeddingSpec("compact", compact().weights_digest, dimension=compact().dimension)
    with Index(tmp_path / "index", spec=spec, moment_hop=0.96) as index:
        index.add(
            Track(path, 1, 1, "a", 60.0, 16_000, 1, "wav"), np.eye(spec.dimension, dtype="f4")[0]
        )
        with pytest.raises(AudioError, match="it can't be reached") as caught:
            similar_moments(index, path)
    assert caught.value.hint


def test_a_part_of_a_track_needs_its_file(tmp_path):
    location = index_of(tmp_path)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(AudioError, match=r"a\.wav"):
        similar(location, "#1", part=TimeRange(1, 2))


def test_with_several_clips_a_stretch_has_all_of_them(index, tmp_path):
    clips = [clip(tmp_path, "c", 6.5, 2.0), clip(tmp_path, "c", 6.2, 4.0)]
    hit = similar_moments(index, clips).hits[0]
    assert os.path.basename(hit.track.path) == "c.wav"
    assert hit.start == pytest.approx(6.2, abs=0.3)
    assert hit.end - hit.start == pytest.approx(4.0, abs=0.05)
    assert hit.match is None


@pytest.mark.parametrize(
    ("avoided", "is_in_noise"),
    [pytest.param(1.0, True, id="a tone"), pytest.param(8.0, False, id="noise")],
)
def test_stretches_like_a_clip_to_avoid_come_later(index, tmp_path, avoided, is_in_noise):
    clips = [clip(tmp_path, "d", 2.0, 2.0), clip(tmp_path, "d", 9.0, 2.0)]
    unlike = clip(tmp_path, "d", avoided, 2.0)
    hit = similar_moments(index, clips, unlike=[unlike], within="#4").hits[0]
    assert (6 <= hit.start <= 12) == is_in_noise


def test_min_similarity_holds_for_each_stretch(index, tmp_path):
    path = clip(tmp_path, "a", 5.33, 4.0)
    options = SearchOptions(min_similarity=0.7)
    hits = similar_moments(index, path, options=options, k=40, per_track=9).hits
    assert hits
    assert all(hit.similarity >= 0.7 for hit in hits)


def test_filters_are_conditions_on_tracks(index, tmp_path):
    options = SearchOptions(Filters(folder=(str(tmp_path / "elsewhere"),)))
    assert not similar_moments(index, clip(tmp_path, "a", 5.33, 4.0), options=options).hits


@pytest.fixture
def with_sounds(folder):
    """The index, with a dog in the first and last patches of a, and rain in some of b."""
    with Index(folder / "index") as index:
        before = dict(index.moments.of([1, 2]))
        patches = {1: {"Dog": (1, 2, 18)}, 2: {"Dog": (9,), "Rain": (9, 10)}}
        index.moments.put(
            {
                i: Moments(before[i].codes, sounds_of(len(before[i]), **where))
                for i, where in patches.items()
            }
        )
        tracks = list(index)
        heard = {1: ("Dog",), 2: ("Dog", "Rain")}
        for track in tracks:
            from audiosearch.models.sound import Sound

            sounds = tuple(Sound(name, 0.8, 0.1, 0.0) for name in heard.get(track.id, ()))
            index.storage.update(replace(track, sounds=sounds, tagger="a" * 64))
        yield index
        index.moments.put(before)
        for track in tracks:
            index.storage.update(track)


def test_a_sound_must_be_heard_in_the_stretch(with_sounds, tmp_path):
    path = clip(tmp_path, "a", 10.0, 1.5)
    options = SearchOptions(Filters(sound=("Dog",)))
    hits = similar_moments(with_sounds, path, options=options, k=40, per_track=9).hits
    assert {hit.track.id for hit in hits} == {1, 2}
    for hit in hits:
        dogs = {1: (0.96, 2.88, 17.28), 2: (8.64,)}[hit.track.id]
        assert any(hit.start < dog + 0.96 and dog < hit.end for dog in dogs)


def test_a_sound_to_avoid_drops_stretches_only(with_sounds, tmp_path):
    path = clip(tmp_path, "b", 8.6, 2.0)
    options = SearchOptions(Filters(exclude=Filters(sound=("Rain",))))
    hits = similar_moments(with_sounds, path, options=options, k=40, per_track=9).hits
    of_b = [hit for hit in hits if hit.track.id == 2]
    assert of_b
    assert all(hit.end < 9.6 or hit.start > 9.6 for hit in of_b)


def test_the_weight_of_a_sound_ranks_stretches(with_sounds, tmp_path):
    path = clip(tmp_path, "d", 8.0, 1.5)
    options = SearchOptions(Filters(sound=("Dog",)), sound_weight=1.0)
    hits = similar_moments(with_sounds, path, options=options).hits
    assert [hit.sound_score for hit in hits] == pytest.approx([0.8] * len(hits))


def test_without_a_clip_the_stretches_with_a_sound_are_hits(with_sounds):
    options = SearchOptions(Filters(sound=("Dog",)))
    hits = similar_moments(with_sounds, options=options).hits
    assert [(hit.track.id, hit.start, hit.end) for hit in hits] == [
        (1, pytest.approx(0.96), pytest.approx(2.88)),
        (1, pytest.approx(17.28), pytest.approx(18.24)),
        (2, pytest.approx(8.64), pytest.approx(9.6)),
    ]
    assert all(hit.similarity is None and hit.sound_score == pytest.approx(0.8) for hit in hits)


def test_copies_of_a_recording_are_one_hit_without_duplicates(tmp_path):
    write(tmp_path / "e.wav", TRACKS["a"])
    index_of(tmp_path)
    with Index(tmp_path / "index") as index:
        add(tmp_path / "index", [str(tmp_path / "e.wav")])
        original, copy = index.resolve("#1"), index.resolve("#5")
        index.moments.put({copy.id: index.moments_of(original)})
        path = clip(tmp_path, "a", 5.33, 4.0)
        assert {1, 5} <= {hit.track.id for hit in similar_moments(index, path).hits[:2]}
        options = SearchOptions(is_distinct=True)
        ids = [hit.track.id for hit in similar_moments(index, path, options=options).hits]
        assert (1 in ids) != (5 in ids)
        ids = [
            hit.track.id
            for hit in similar_moments(index, "#1", part=TimeRange(5, 9), options=options).hits
        ]
        assert 5 not in ids


@pytest.mark.parametrize("is_track", [True, False])
def test_repetitions_are_found_within_one_file(index, tmp_path, is_track):
    motif = melody(4, seed=30)
    samples = np.concatenate([melody(7.3, seed=31), motif, melody(6, seed=32), motif, noise(3)])
    path = str(folder_file := write(tmp_path / "mix.wav", samples))
    assert folder_file.exists()
    part = TimeRange(7.3, 11.3)
    if is_track:
        location = tmp_path / "index"
        add(location, [path], model="compact")  # an index without moments, for its model
        result = similar_moments(location, path, part=part, within=path)
    else:
        result = similar_moments(index, path, part=part, within=path)
    hit = result.hits[0]
    assert hit.track.path == path
    assert hit.start == pytest.approx(17.3, abs=0.05)
    assert all(hit.end <= 7.4 or hit.start >= 11.2 for hit in result.hits)


def test_within_a_file_that_has_nothing_of_the_clip_the_most_similar_stretch_is_found(
    index, tmp_path
):
    path = write(tmp_path / "other.wav", noise(8.0, seed=3))
    hits = similar_moments(index, "#1", part=TimeRange(0, 3), within=path, k=1).hits
    assert [hit.is_same_recording for hit in hits] == [False]


def test_stretches_within_a_track_of_the_index_are_found(index, tmp_path):
    path = clip(tmp_path, "a", 5.33, 4.0)
    result = similar_moments(index, path, within="#2", k=3)
    assert {hit.track.id for hit in result.hits} == {2}


def test_a_warning_says_that_more_stretches_may_qualify(tmp_path):
    index_of(tmp_path)
    codes = np.random.default_rng(0).integers(-127, 128, (20_000, 128)).astype(np.int8)
    with Index(tmp_path / "index") as index:
        track = index.resolve("#4")
        index.storage.update(replace(track, seconds=0.96 * len(codes)))
        index.moments.put({track.id: Moments(codes)})
        path = clip(tmp_path, "a", 5.33, 0.96)
        few = similar_moments(index, path, k=2)
        many = similar_moments(index, path, k=5_000, per_track=5_000)
    assert not any("may qualify" in warning for warning in few.warnings)
    assert any("more may qualify" in warning for warning in many.warnings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"k": 0}, "0 hits", id="no hits"),
        pytest.param({"per_track": 0}, "0 hits a track", id="no hits of a track"),
        pytest.param({"options": SearchOptions(whiten=True)}, "whitened", id="whitened"),
        pytest.param({"clips": ()}, "No clip", id="nothing to search with"),
    ],
)
def test_an_invalid_request_is_refused(index, options, words):
    with pytest.raises(UsageError, match=words) as caught:
        similar_moments(index, **{"clips": "#1", **options})
    assert caught.value.hint


def test_a_clip_longer_than_every_track_is_refused_with_a_hint(index, tmp_path):
    path = write(tmp_path / "long.wav", melody(25, seed=40))
    with pytest.raises(LibraryError, match=r"25\.0 s long") as caught:
        similar_moments(index, path)
    assert "--from" in caught.value.hint


@pytest.fixture(scope="module")
def long_tracks(tmp_path_factory):
    """An index of two tracks of 40 s, and their folder."""
    folder = tmp_path_factory.mktemp("long")
    paths = [write(folder / f"{name}.wav", melody(40, seed=ord(name))) for name in "ab"]
    add(folder / "index", paths, model="compact", moments=True, n_jobs=1)
    with Index(folder / "index") as index:
        yield index, folder


@pytest.fixture
def clips_of_30_s(monkeypatch):
    monkeypatch.setattr("audiosearch.search.moments.clips.CLIP_SECONDS", 30.0)


@pytest.mark.usefixtures("clips_of_30_s")
def test_of_a_long_clip_the_middle_is_searched_with(long_tracks, tmp_path):
    index, _ = long_tracks
    track = melody(40, seed=ord("a"))
    path = write(
        tmp_path / "c.wav", np.concatenate([noise(20), track[5 * RATE : 35 * RATE], noise(20)])
    )
    result = similar_moments(index, path)
    assert found(result)[0] == ("a", pytest.approx(5, abs=0.05))
    assert result.hits[0].end == pytest.approx(35, abs=0.05)
    (warning,) = result.warnings
    assert warning.endswith(
        "it is 1:10.0 long, so only its middle is searched with, from 0:20.0 to 0:50.0"
    )


@pytest.mark.usefixtures("clips_of_30_s")
def test_a_part_of_a_long_clip_is_used_as_it_is(long_tracks, tmp_path):
    index, folder = long_tracks
    result = similar_moments(
        index, folder / "a.wav", part=TimeRange(2), options=SearchOptions(include_self=True)
    )
    assert found(result)[0] == ("a", pytest.approx(2, abs=0.05))
    assert result.hits[0].end == pytest.approx(40, abs=0.05)
    assert not result.warnings


@pytest.mark.usefixtures("clips_of_30_s")
def test_no_stretch_of_a_long_track_that_is_the_clip_is_a_hit(long_tracks):
    index, _ = long_tracks
    assert {hit.track.id for hit in similar_moments(index, "#1", k=40, per_track=20).hits} == {2}


def test_tracks_in_which_the_clip_has_no_room_keep_no_others_out(tmp_path):
    index_of(tmp_path)
    with Index(tmp_path / "index") as index:
        codes = index.moments_of(index.resolve("#1")).codes
        track = index.resolve("#4")
        index.storage.update(replace(track, seconds=2.0))
        index.moments.put({track.id: Moments(np.repeat(codes, 1_000, axis=0))})
        result = similar_moments(index, clip(tmp_path, "a", 5.33, 4.0))
    assert found(result)[0] == ("a", pytest.approx(5.33, abs=0.05))
    assert not result.warnings


def test_a_track_in_which_the_clip_has_no_room_is_no_hit(tmp_path):
    names = {"short": tone(300, 0.6), "almost": tone(300, 1.7), "long": tone(900, 4)}
    paths = [write(tmp_path / f"{name}.wav", samples) for name, samples in names.items()]
    add(tmp_path / "index", paths, model="compact", moments=True, n_jobs=1)
    result = similar_moments(tmp_path / "index", write(tmp_path / "clip.wav", tone(300, 2)))
    hits = [(os.path.basename(hit.track.path), hit.end - hit.start) for hit in result.hits]
    assert hits[0] == ("almost.wav", pytest.approx(1.7))  # up to 0.5 s may be missing
    assert {name for name, _ in hits} == {"almost.wav", "long.wav"}


def test_an_index_without_moments_is_refused_with_a_hint(tmp_path):
    write(tmp_path / "a.wav", TRACKS["a"])
    add(tmp_path / "index", [str(tmp_path / "a.wav")], model="compact")
    with pytest.raises(LibraryError) as caught:
        similar_moments(tmp_path / "index", tmp_path / "a.wav")
    assert "refresh --moments" in caught.value.hint


def test_an_empty_index_is_refused(tmp_path):
    model = compact()
    spec = EmbeddingSpec(model.name, model.weights_digest)
    Index(tmp_path / "index", spec=spec, moment_hop=0.96).close()
    write(tmp_path / "a.wav", TRACKS["a"])
    with pytest.raises(LibraryError, match="empty"):
        similar_moments(tmp_path / "index", tmp_path / "a.wav")


def test_tracks_without_moments_are_counted_in_a_warning(tmp_path):
    location = index_of(tmp_path)
    with Index(location) as index:
        index.moments.put({2: None})
        result = similar_moments(index, clip(tmp_path, "a", 5.33, 4.0))
    (warning,) = result.warnings
    assert warning == "1 of 4 tracks have no moments; run `audiosearch refresh --moments`."


def test_patches_that_overlap_are_aligned_too(tmp_path):
    index_of(tmp_path, hop=0.48)
    with Index(tmp_path / "index") as index:
        result = similar_moments(index, clip(tmp_path, "b", 7.77, 3.0))
    assert found(result)[0] == ("b", pytest.approx(7.77, abs=0.05))


def test_processes_end_with_the_index(folder, tmp_path):
    with Index(folder / "index") as index:
        similar_moments(index, clip(tmp_path, "a", 5.33, 4.0))
        processes = [process._process for process in stretch_reader(index)._idle]
        assert processes
    assert all(process.poll() is not None for process in processes)
