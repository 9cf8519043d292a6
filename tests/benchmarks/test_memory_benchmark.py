import pytest

from memory import Options, judge, resident_megabytes


def test_resident_memory_sees_what_is_allocated():
    before = resident_megabytes()
    ballast = bytearray(b"x") * (64 << 20)
    assert resident_megabytes() - before > 0.9 * len(ballast) / 2**20


def test_growth_counts_from_the_end_of_the_settling_time():
    options = Options(frames=4000, settle=2000, allowance=0.05)
    judge({1000: 90.0, 2000: 100.0, 3000: 104.0, 4000: 96.0}, options)
    with pytest.raises(SystemExit, match="not constant"):
        judge({1000: 90.0, 2000: 100.0, 3000: 106.0, 4000: 96.0}, options)
    with pytest.raises(SystemExit, match="--settle"):
        Options(frames=2000, settle=2000)
