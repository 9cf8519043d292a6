"""A file is written whole or not at all, with the mode and under the name that the user expects."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lockon.errors import OutputError
from lockon.files import claimed, replacing, user_path


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


def refused(path):
    with claimed(path, "me"):
        pass


def test_a_claim_names_who_holds_it_and_leaves_nothing_behind():
    path = Path("folder") / ".lock"
    path.parent.mkdir()
    with claimed(path, "process 7"):
        with pytest.raises(OutputError, match=r"'folder' is in use by process 7\. Wait for it"):
            refused(path)
        assert path.read_text() == "process 7"
    assert os.listdir("folder") == []
    refused(path)


def test_the_claim_of_a_dead_process_is_taken_over():
    script = "import sys; from pathlib import Path; from lockon.files import claimed\n"
    script += "with claimed(Path('.lock'), 'the dead'): print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(OutputError, match="in use by the dead"):
        refused(Path(".lock"))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert Path(".lock").read_text() == "the dead"
    with claimed(Path(".lock"), "me"):
        assert Path(".lock").read_text() == "me"


def test_a_lock_file_that_was_removed_meanwhile_is_no_claim(monkeypatch):
    lock = fcntl.flock

    def removed_first(file, operation):
        monkeypatch.setattr(fcntl, "flock", lock)
        Path(".lock").unlink()

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with claimed(Path(".lock"), "me"), pytest.raises(OutputError, match="in use by me"):
        refused(Path(".lock"))


def test_where_there_are_no_locks_nobody_is_refused(monkeypatch):
    def unsupported(file, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with claimed(Path(".lock"), "me"):
        refused(Path(".lock"))
