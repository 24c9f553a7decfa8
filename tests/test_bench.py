"""`audiosearch bench`: measurements of this machine."""

import json

import pytest


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("audiosearch.bench._FILE_SECONDS", 3.0)
    monkeypatch.setattr("audiosearch.bench._RUN_SECONDS", 0.1)
    monkeypatch.setattr("audiosearch.bench._TIMED_SECONDS", 0.02)
    monkeypatch.setattr("audiosearch.bench.SIZES", (100, 200))


def test_every_stage_is_measured(run, quick):
    result = run("bench", "--model", "compact", "--rounds", 2, "--format", "json")
    report = json.loads(result.stdout)
    assert (report["model"], report["rounds"]) == ("compact", 2)
    figures = {(f["part"], f["what"], f["unit"]): f["value"] for f in report["figures"]}
    assert all(value > 0 for value in figures.values())
    for suffix in ("mp3", "flac"):
        parts = {what: value for (part, what, _), value in figures.items() if part == suffix}
        assert parts["front end"] > max(parts["decode"], parts["mel"])
        rate = figures[suffix, "end to end", "patches/s"]
        share = figures[suffix, "share of the ceiling", ""]
        assert rate / figures[suffix, "ceiling of the parts", "patches/s"] == pytest.approx(
            share, rel=0.5
        )
    assert [what for part, what, _ in figures if part == "search"] == ["100 vectors", "200 vectors"]


@pytest.mark.checkpoint
def test_the_network_is_compared_with_a_matrix_product(run, quick, checkpoints):
    result = run("bench", "--weights", checkpoints.v1, "--rounds", 1, "--format", "json")
    figures = {f["what"]: f["value"] for f in json.loads(result.stdout)["figures"]}
    assert 0.01 < figures["share of sgemm"] < 100
    assert figures["speed"] / figures["sgemm"] == pytest.approx(figures["share of sgemm"])
