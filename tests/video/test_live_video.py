import http.server
import threading
import time

import pytest
from video_clips import number_in, write_clip

from lockon.errors import VideoError
from lockon.video import open_source, opening


@pytest.fixture
def camera(monkeypatch):
    """A camera whose picture FFmpeg makes up, without end."""
    monkeypatch.setattr(opening, "_CAMERA_FORMATS", {"linux": "lavfi", "darwin": "lavfi", "win32": "lavfi"})
    monkeypatch.setattr(opening.sys, "platform", "linux")
    return "camera:testsrc=size=64x48:rate=25"


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_camera_goes_on_where_it_was_left(camera, prefetch):
    with open_source(camera, prefetch=prefetch) as source:
        assert source.info.kind == "camera"
        assert source.info.frame_count is None
        assert source.info.duration is None
        assert (source.info.width, source.info.height) == (64, 48)
        first = []
        for frame in source:
            first.append(frame)
            if len(first) == 5:
                break
        assert [frame.index for frame in first] == [0, 1, 2, 3, 4]
        assert [frame.time for frame in first] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
        assert 5 <= next(iter(source)).index <= 5 + prefetch + 1  # what was read ahead is past
    with pytest.raises(VideoError, match="closed"):
        iter(source)


def test_a_camera_cannot_be_sought(camera):
    with open_source(camera) as source:
        with pytest.raises(VideoError, match="live"):
            source.seek_frame(3)
        with pytest.raises(VideoError, match="live"):
            source.seek_time(1.0)
        with pytest.raises(VideoError, match="nobody knows how many"):
            source.count_frames()
        assert next(iter(source)).index == 0


def test_closing_within_the_loop_ends_it(camera):
    source = open_source(camera)
    seen = []
    for frame in source:
        seen.append(frame.index)
        if len(seen) == 3:
            source.close()
    assert seen == [0, 1, 2]
    source.close()


def test_cameras_have_names_on_windows(monkeypatch):
    monkeypatch.setattr(opening.sys, "platform", "win32")
    with pytest.raises(VideoError, match="camera:NAME"):
        open_source(0)
    monkeypatch.setattr(opening.sys, "platform", "plan9")
    with pytest.raises(VideoError, match="not supported on plan9"):
        open_source("camera:0")


class Broadcast(http.server.BaseHTTPRequestHandler):
    """Sends a transport stream as it is made: in chunks of unknown number; then stalls or ends."""

    protocol_version = "HTTP/1.1"
    data: bytes
    end: threading.Event

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(self.data), self.data))
        self.wfile.flush()
        self.end.wait(10)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


@pytest.fixture
def broadcast(tmp_path):
    end = threading.Event()
    data = write_clip(tmp_path / "clip.ts", 60, options={"bf": "0"}).read_bytes()
    handler = type("Handler", (Broadcast,), {"data": data, "end": end})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/live", end
        end.set()
        server.shutdown()


def test_a_live_stream_comes_once_and_ends_when_it_ends(broadcast):
    url, end = broadcast
    end.set()
    with open_source(url, timeout=5) as source:
        assert source.info.kind == "stream"
        assert source.info.duration is None
        frames = list(source)
        assert [number_in(frame.image) for frame in frames] == list(range(60))
        assert frames[0].time == 0
        assert list(source) == []
        assert not source.skipped


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_stream_that_stalls_is_given_up_and_reported(broadcast, prefetch):
    url, _ = broadcast
    start = time.monotonic()
    source = open_source(url, timeout=1.0, prefetch=prefetch)
    frames = list(source)
    assert len(frames) >= 59  # the last one stays in the parser, which cannot know that it is complete
    assert "broke off" in str(source.skipped)
    assert len(source.skipped) == 1
    assert time.monotonic() - start < 9
    with pytest.raises(VideoError, match="broke off"):
        list(open_source(url, timeout=0.5, on_bad_frame="raise"))
