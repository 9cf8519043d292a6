import http.server
import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from video_clips import write_clip

from lockon.errors import LockonError, VideoError
from lockon.video import open_source


def audio_only(path):
    clip = write_clip(path.with_suffix(".mp4"), 5, sound="aac")
    import av

    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return path


def without_index(path):
    data = write_clip(path, 30).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def folder_with(path, *names):
    path.mkdir()
    for name in names:
        file = path / name
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(file) if name.endswith("png") else file.write_text("text")
    return path


def filled(path, data):
    path.write_bytes(data)
    return path


BAD = {
    "missing file": (lambda p: p / "none.mp4", "does not exist"),
    "file in a missing folder": (lambda p: p / "none" / "none.mp4", "does not exist"),
    "empty file": (lambda p: filled(p / "a.mp4", b""), "empty"),
    "text called video": (lambda p: filled(p / "a.mp4", "grüße\n".encode() * 999), "contains text"),
    "text file": (lambda p: filled(p / "a.txt", b"hello\n" * 99), "contains text"),
    "noise called video": (lambda p: filled(p / "a.mp4", np.random.default_rng(0).bytes(9000)), "not a video"),
    "noise called image": (lambda p: filled(p / "a.png", np.random.default_rng(0).bytes(900)), "can be read"),
    "only sound": (lambda p: audio_only(p / "a.m4a"), "only sound"),
    "no index": (lambda p: without_index(p / "a.mp4"), "index"),
    "empty folder": (lambda p: folder_with(p / "d"), "holds no images"),
    "folder without images": (lambda p: folder_with(p / "d", "a.txt"), "holds no images"),
    "images one folder down": (lambda p: folder_with(p / "d", "img/1.png"), r"'img' has some: give '.*d/img'"),
    "pattern without match": (lambda p: f"{p}/*.png", "no image matches"),
    "camera that is not there": (lambda p: "camera:73", "cannot open camera 73"),
    "camera by number": (lambda p: 73, "cannot open camera 73"),
    "camera by digits": (lambda p: "73", "cannot open camera 73"),
    "nothing": (lambda p: "", "no video is given"),
    "name with a zero byte": (lambda p: "a\0b.mp4", "a.b.mp4"),
    "endless name": (lambda p: "x" * 9999, "cannot be reached"),
    "unknown protocol": (lambda p: "gopherx://host/a.mp4", "not supported"),
    "unresolvable host": (lambda p: "http://nowhere.invalid/a.mp4", "cannot connect"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error_before_any_work(tmp_path, case):
    make, expected = BAD[case]
    spec = make(tmp_path)
    with pytest.raises(VideoError, match=expected) as caught:
        open_source(spec, timeout=3)
    message = str(caught.value)
    assert isinstance(caught.value, LockonError)
    assert isinstance(caught.value, OSError)
    assert message.endswith(".")
    assert message.count(". ") >= 1 or "give" in message  # what is wrong, and what to do
    assert "Errno" not in message
    assert "av." not in message.replace(str(tmp_path), "")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are POSIX")
def test_unreadable_files_and_folders_name_the_permission(tmp_path):
    write_clip(tmp_path / "a.mp4", 3).chmod(0)
    folder_with(tmp_path / "d", "1.png").chmod(0)
    root = os.geteuid() == 0
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):
        parent.chmod(0o755)
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        for name in ("a.mp4", "d", "d/1.png"):
            with pytest.raises(VideoError, match=r"permission"):
                open_source(tmp_path / name)
    finally:
        if root:
            os.seteuid(0)
        (tmp_path / "d").chmod(0o755)


@pytest.fixture
def silent_server():
    """Accepts connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "rtsp", "tcp"])
def test_a_server_that_does_not_answer_is_given_up_and_no_password_shown(silent_server, scheme):
    with pytest.raises(VideoError, match=f"127.0.0.1:{silent_server}") as caught:
        open_source(f"{scheme}://user:secret@127.0.0.1:{silent_server}/a.mp4", timeout=0.5)
    assert "secret" not in str(caught.value)


def test_a_refused_connection_is_named():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(VideoError, match="refused"):
            open_source(f"http://127.0.0.1:{unused.getsockname()[1]}/a.mp4", timeout=3)


class FileServer(http.server.BaseHTTPRequestHandler):
    """Serves files in ranges, as web servers do."""

    folder: Path

    def do_GET(self):
        try:
            data = (self.folder / self.path.strip("/")).read_bytes()
        except OSError:
            return self.send_error(404)
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        try:
            self.wfile.write(data[start:])
        except OSError:
            return None

    def log_message(self, *args):
        pass


@pytest.fixture
def web(tmp_path):
    handler = type("Handler", (FileServer,), {"folder": tmp_path})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_video_on_the_web_is_read_and_sought_like_a_file(tmp_path, web):
    write_clip(tmp_path / "clip.mp4", 30)
    with open_source(f"{web}/clip.mp4", timeout=5) as source:
        assert source.info.kind == "stream"
        assert [frame.index for frame in source] == list(range(30))
        source.seek_frame(17)
        assert next(iter(source)).index == 17
        assert [frame.index for frame in source] == list(range(30))


def test_a_missing_or_wrong_page_is_named(tmp_path, web):
    (tmp_path / "page.html").write_text("<html><body>no video</body></html>")
    with pytest.raises(VideoError, match="404"):
        open_source(f"{web}/none.mp4", timeout=5)
    with pytest.raises(VideoError, match="no video"):
        open_source(f"{web}/page.html", timeout=5)


def test_files_may_be_named_in_any_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("frame%03d.mp4", "a:b.mp4", "-dash.mp4", "spä ce [1].mp4", "no_suffix", "concat:x.mp4"):
        write_clip(Path(name), 2, format="mp4") if ":" not in name else os.rename(
            write_clip(Path("plain.mp4"), 2), name
        )
        assert len(list(open_source(name))) == 2
        assert len(list(open_source(tmp_path / name))) == 2
    assert len(list(open_source(f"file://{tmp_path}/no_suffix"))) == 2
    os.rename("no_suffix", "7")
    assert open_source("7").info.kind == "file"
