import pytest

from lockon.evaluation.formats.names import SequenceNames

OTB = ("Jogging-1", "Jogging-2", "Human4-2", "FaceOcc1", "Car1", "Basketball")
NUO = ("nfs_basketball_1", "uav_car1", "Car1", "Human4")


@pytest.mark.parametrize(
    ("names", "file", "sequence"),
    [
        (OTB, "Jogging-1", "Jogging-1"),
        (OTB, "jogging_1", "Jogging-1"),
        (OTB, "Jogging.2", "Jogging-2"),
        (OTB, "human4_2", "Human4-2"),
        (OTB, "Human4", "Human4-2"),
        (OTB, "faceOcc1", "FaceOcc1"),
        (OTB, "jogging", None),
        (("basketball_1",), "nfs_basketball_1", "basketball_1"),
        (("nfs_basketball_1",), "basketball_1", "nfs_basketball_1"),
        (("vid0001_obj0000",), "vid0001_obj0000_frames[30:61]", "vid0001_obj0000"),
        (NUO, "uav_car1", "uav_car1"),
        (NUO, "Car1", "Car1"),
        (NUO, "car1", "Car1"),
        (NUO, "nfs_car1", None),
        (NUO, "Human4_2", "Human4"),
    ],
)
def test_sequences_are_found_by_all_their_spellings(names: tuple[str, ...], file: str, sequence: str | None) -> None:
    assert SequenceNames(names).match(file) == sequence
