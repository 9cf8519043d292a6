from lockon.video import BadFrame, ReadReport


def test_runs_of_bad_frames_share_a_line():
    report = ReadReport()
    for index in (5, 3, 4, 9, 4):
        report.add(BadFrame(index, "damaged"))
    report.add(BadFrame(10, "missing"))
    report.note(7, "the size changes")
    assert len(report) == 5
    assert [bad.index for bad in report] == [3, 4, 5, 9, 10]
    assert str(report).splitlines() == [
        "5 frames could not be read",
        "frames 3-5 (3): damaged",
        "frame 9: damaged",
        "frame 10: missing",
        "frame 7: the size changes",
    ]


def test_an_empty_report_says_so():
    assert not ReadReport()
    assert str(ReadReport()) == "every frame was read"


def test_a_remark_is_something_to_tell_but_no_bad_frame():
    report = ReadReport()
    report.note(7, "the size changes")
    assert report
    assert len(report) == 0
    assert str(report) == "frame 7: the size changes"


def test_a_long_report_is_cut():
    report = ReadReport()
    for index in range(0, 200, 2):
        report.add(BadFrame(index, "damaged"))
    lines = str(report).splitlines()
    assert lines[0] == "100 frames could not be read"
    assert lines[-1] == "... and 80 more lines"
    assert len(lines) == 22
