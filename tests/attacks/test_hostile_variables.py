"""Environment variables and names that are wrong in any way end in a sentence, and harm no file."""

import pytest

from audiosearch.errors import ModelError
from audiosearch.models.specs import SPECS

LONG = "1" * 300  # file systems allow 255 bytes


@pytest.mark.parametrize("digest", ["../../precious", "..", ".", "/", "abc", "\udcff", "f" * 127])
def test_a_digest_that_is_none_deletes_no_file(tmp_path, monkeypatch, digest):
    cache = tmp_path / "cache"
    for folder in (tmp_path, cache, tmp_path / "precious"):
        folder.mkdir(exist_ok=True)
        (folder / "kept.txt").touch()
    monkeypatch.setenv("AUDIOSEARCH_CACHE", str(cache))
    monkeypatch.setenv("AUDIOSEARCH_PCA_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AUDIOSEARCH_PCA_SHA512", digest)
    with pytest.raises(ModelError, match="is not a SHA-512 digest") as error:
        SPECS["vggish"].pca.fetch()
    assert "sha512sum" in error.value.hint
    assert len(list(tmp_path.rglob("kept.txt"))) == 3


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        pytest.param("AUDIOSEARCH_INDEX", ["info"], id="index"),
        pytest.param("AUDIOSEARCH_WEIGHTS", ["model", "status"], id="weights"),
        pytest.param("AUDIOSEARCH_CACHE", ["model", "status"], id="cache"),
    ],
)
def test_a_name_that_is_too_long_is_a_sentence(run, monkeypatch, variable, command):
    monkeypatch.setenv(variable, LONG)
    result = run(*command)
    assert result.exit_code == 0 or "hint:" in result.stderr
