"""A file is written whole or not at all, with the mode and under the name that the user expects."""

import os
from pathlib import Path

import pytest

from lockon.errors import OutputError
from lockon.files import replacing, user_path


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.mp4", "a/b.mp4"),
        (Path("a"), "a"),
        ("~/a", "/home/me/a"),
        (Path("~/a"), "/home/me/a"),
        ("file://a", "a"),
        ("file:///a", "/a"),
        ("~a.mp4", "~a.mp4"),
    ],
)
def test_what_users_mean_by_a_path(name, path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path(name) == Path(path)


def test_the_new_content_takes_the_place_of_the_old_at_the_end():
    path = Path("a")
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir() == ["a"]


def write(path, text, error=None):
    with replacing(path) as part:
        part.write_text(text)
        if error:
            raise error


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_what_is_there_outlives_a_failure(error):
    path = Path("a")
    path.write_text("old")
    with pytest.raises(type(error)):
        write(path, "ne", error)
    assert path.read_text() == "old"
    assert os.listdir() == ["a"]


@pytest.mark.parametrize("place", ["missing/a", "file/a", "folder", ".", "a" * 300])
def test_an_obstacle_is_told_by_the_name_of_the_file(place):
    Path("file").touch()
    Path("folder").mkdir()
    with pytest.raises(OutputError, match=rf"^cannot write {place}: [^.]") as caught:
        write(Path(place), "new")
    assert ".part" not in str(caught.value)
    assert sorted(os.listdir()) == ["file", "folder"]
