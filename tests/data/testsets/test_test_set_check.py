import numpy as np
import pytest

from data.datasets.layouts import lines, write
from data.testsets.test_mask_test_sets import labels, make_davis
from data.testsets.whole_sets import images, make_lasot_test, make_otb, make_uav
from lockon.data.testsets.check import check_test_set
from lockon.data.testsets.pictures import PicturedTestSet
from lockon.data.testsets.registry import TEST_SETS, open_test_set


def check(name, root, **options):
    whole = {"pytracking": False} if name == "otb100" else {}
    return check_test_set(open_test_set(name, root, **whole), TEST_SETS[name], **options)


def found(report, kind):
    return [(one.severity, one.sequence, one.text) for one in report.findings if one.kind == kind]


def test_a_whole_copy_has_no_findings_but_that_there_are_no_images(tmp_path):
    report = check("otb100", make_otb(tmp_path))
    assert (report.sequences, report.expected_sequences) == (100, 100)
    assert (report.frames, report.expected_frames) == (59_040, 59_040)
    assert (report.with_images, report.errors) == (0, [])
    ((severity, sequence, text),) = found(report, "no images")
    assert (severity, sequence) == ("warning", "")
    assert "no tracker can be run" in text


def test_expected_and_found_are_compared(tmp_path):
    report = check("otb100", make_otb(tmp_path, "Bird1", "Biker"))
    assert found(report, "count") == [
        ("error", "", "2 sequences can be used; OTB-100 has 100"),
        ("error", "", "550 frames can be used; OTB-100 has 59040"),
    ]
    assert len(found(report, "left out")) == 98


def test_missing_images_are_found_by_name(tmp_path):
    make_otb(tmp_path, "Biker", "BlurCar3")
    images(tmp_path / "Biker" / "img", [1, *range(3, 143)], 4)
    images(tmp_path / "BlurCar3" / "img", range(1, 360), 4)  # those before the first are not missed, nor too many
    report = check("otb100", tmp_path)
    (finding,) = [one for one in report.findings if one.kind == "missing images"]
    assert (finding.sequence, finding.frames) == ("Biker", (1,))
    assert finding.text.endswith("0002.jpg")
    assert not found(report, "spare images")
    assert report.images_read == 199  # of 200 sampled, one is missing
    assert report.image_sizes == {"64×48": 199}


def test_spare_images_show_a_half_copied_annotation(tmp_path):
    make_lasot_test(tmp_path, "airplane-1", name="lasot")
    write(tmp_path / "atv" / "atv-1" / "groundtruth.txt", "1,2,3,4\n" * 3)
    for flags in ("full_occlusion.txt", "out_of_view.txt"):
        write(tmp_path / "atv" / "atv-1" / flags, "0,0,0\n")
    images(tmp_path / "atv" / "atv-1" / "img", range(1, 6), 8)
    assert "has 5 images for 3 frames" in found(check("lasot_ext", tmp_path), "spare images")[0][2]


def test_sequences_without_images_among_others_are_errors(tmp_path):
    make_otb(tmp_path, "Biker", "Bird1")
    images(tmp_path / "Biker" / "img", range(1, 143), 4)
    assert [one[:2] for one in found(check("otb100", tmp_path), "no images")] == [("error", "Bird1")]


def test_another_version_of_the_annotation_is_noticed(tmp_path):
    make_uav(tmp_path, "bike2", "bike1")
    path = tmp_path / "anno" / "UAV123" / "bike2.txt"
    path.write_text(path.read_text().replace("NaN,NaN,NaN,NaN", "1,2,3,4", 5))
    ((severity, sequence, text),) = found(check("uav123", tmp_path), "annotation")
    assert (severity, sequence) == ("warning", "bike2")
    assert text.startswith("30 frames without visible target, the benchmark has 35")
    make_lasot_test(tmp_path, "volleyball-19")
    rows = lines([(1, 2, 3, 4)] * 1467)
    write(tmp_path / "volleyball" / "volleyball-19" / "groundtruth.txt", rows)
    assert "0 boxes without area, the benchmark has 270" in found(check("lasot", tmp_path), "annotation")[0][2]


def test_unreadable_images_are_found_in_the_sample_or_in_all(tmp_path):
    make_otb(tmp_path, "Biker")
    images(tmp_path / "Biker" / "img", range(1, 143), 4)
    (tmp_path / "Biker" / "img" / "0077.jpg").write_bytes(b"broken")
    report = check("otb100", tmp_path)
    assert [one.frames for one in report.findings if one.kind == "unreadable"] == [(76,)]  # 142 frames are all read
    make_otb(tmp_path, "Bird1")
    images(tmp_path / "Bird1" / "img", range(1, 409), 4)
    assert not found(check("otb100", tmp_path), "unreadable")
    assert len(found(check("otb100", tmp_path, all_images=True), "unreadable")) == 1


def test_label_images_fit_their_pictures(tmp_path):
    make_davis(tmp_path)
    texts = [text for _, _, text in found(check("davis2017", tmp_path), "mask")]
    assert texts[0].endswith("marks object 3, which is never given")
    labels(tmp_path / "Annotations" / "480p" / "cat" / "00002.png", 1, 2)
    assert not found(check("davis2017", tmp_path), "mask")
    assert not found(check("davis2016", tmp_path), "mask")


def test_a_report_is_plain(tmp_path):
    plain = check("otb100", make_otb(tmp_path, "Biker")).as_plain()
    assert (plain["name"], plain["sequences"], plain["expected_sequences"]) == ("otb100", 1, 100)
    assert plain["findings"][0]["kind"] == "left out"


@pytest.mark.parametrize(("name", "make"), [("otb100", make_otb), ("uav123", make_uav)])
def test_pictures_are_drawn_of_sequences_with_images(tmp_path, name, make):
    sequences = {"otb100": ("Biker", "Bird1"), "uav123": ("bike2", "bike1")}[name]
    make(tmp_path, *sequences)
    folder = {"otb100": tmp_path / "Biker" / "img", "uav123": tmp_path / "data_seq" / "UAV123" / "bike2"}[name]
    images(folder, [1], 4 if name == "otb100" else 6)
    pictured = PicturedTestSet(open_test_set(name, tmp_path))
    assert [pictured[number].name for number in range(len(pictured))] == [sequences[0]]
    expected = 142 if name == "otb100" else 553 - 35
    assert int(np.count_nonzero(pictured[0].visible)) == expected
