"""One-pass evaluation against numbers that official toolkits computed, on real and synthetic results."""

import json
import re

import numpy as np
import pytest
from golden_data import golden_path
from golden_results import (
    OPE_TOLERANCE,
    archive_texts,
    boxes,
    check,
    folder_of_boxes,
    make_test_set,
    numbers,
    tracks,
)

from lockon.data.sequences import read_boxes
from lockon.evaluation import one_pass
from lockon.evaluation.one_pass import score_track
from lockon.evaluation.one_pass.cases import Case
from lockon.evaluation.one_pass.pooled import pool
from lockon.evaluation.tracks import Track

PYTRACKING = {
    "AUC": "AUC",
    "OP50": "OP50",
    "OP75": "OP75",
    "Precision": "Precision",
    "P20": "Precision",
    "NormPrecision": "Norm Precision",
    "NP20": "Norm Precision",
    "AO": "AO",
}
GOT10K = {
    "success_score": "AUC",
    "success_rate": "OP50",
    "precision_score": "Precision",
    "normalized_precision_score": "Norm Precision",
}
PYSOT = {"success": "AUC", "precision": "Precision", "norm_precision": "Norm Precision"}
MATLAB = {"success_auc": "AUC", "op50": "OP50", "precision20": "Precision", "norm_precision_0_2": "Norm Precision"}
TRACKINGNET = {
    "Success": "AUC",
    "Precision": "Precision",
    "Normalized Precision": "Norm Precision",
    "Coverage": "Coverage",
}
PUBLISHED = {"success": "AUC", "precision": "Precision", "norm precision": "Norm Precision"}


def expectations(folder):
    return json.loads(golden_path("evaluation", folder, "expected.json").read_text())


def assess(name, truth, results, rules, visible=None):
    test_set = make_test_set(name, truth, visible=visible)
    (tracker,) = one_pass.assess(test_set, {"tracker": [tracks(results)]}, rules=rules).trackers
    return tracker


def check_published(text, assessed):
    """Papers round, and their results were saved otherwise: within 0.6 points of the number or range."""
    for part in text.split(","):
        limits = [float(number) for number in re.findall(r"\d+\.\d+", part)]
        (name,) = re.findall(r"norm precision|success|precision", part)
        value = assessed.values[PUBLISHED[name]] / 100
        assert limits[0] - 0.006 <= value <= limits[-1] + 0.006, name


def test_otb_equals_three_toolkits_and_the_papers():
    root = golden_path("evaluation", "otb100_real")
    annotated = folder_of_boxes(root / "gt")
    for tracker, expected in expectations("otb100_real").items():
        results = folder_of_boxes(root / "results" / tracker)
        # Tiger1 has results without its first frames: aligned at the end.
        truth = {name: each[-len(results[name]) :] for name, each in annotated.items()}
        ours = assess("otb100", truth, results, "pytracking")
        check(ours, expected["pytracking"], PYTRACKING, 1)
        curve = ours.curves["success_plot"]
        np.testing.assert_allclose(curve.y, expected["pytracking"]["success_curve"], atol=OPE_TOLERANCE)
        check(assess("otb100", truth, results, "got10k"), expected["got10k"], GOT10K, 100)
        check(assess("otb100", truth, results, "pysot"), expected["pysot"], PYSOT, 100)
        check_published(expected["published"], ours)


def test_uav_with_absent_frames_equals_three_toolkits():
    root = golden_path("evaluation", "uav_realgt_synthpred")
    truth = folder_of_boxes(root / "gt")
    for tracker, expected in expectations("uav_realgt_synthpred").items():
        results = folder_of_boxes(root / "results" / tracker)
        padded = {
            name: np.concatenate([each, np.zeros((max(len(truth[name]) - len(each), 0), 4))])
            for name, each in results.items()
        }
        ours = assess("uav123", truth, results, "pytracking")
        check(ours, expected["pytracking_uav"], PYTRACKING, 1)
        np.testing.assert_allclose(
            ours.curves["success_plot"].y, expected["pytracking_uav"]["success_curve"], atol=OPE_TOLERANCE
        )
        valid = assess("uav123", truth, results, "pytracking_valid")
        check(valid, expected["pytracking_uav_exclude_invalid"], PYTRACKING, 1)
        check(assess("uav123", truth, results, "got10k"), expected["got10k_uav123"], GOT10K, 100)
        check(assess("uav123", truth, padded, "pysot"), expected["pysot_zero_padded"], PYSOT, 100)


@pytest.mark.slow
def test_lasot_equals_matlab_and_three_toolkits():
    root = golden_path("evaluation", "lasot_real")
    files = archive_texts(root / "lasot_test_gt.tar.xz")
    by_kind = {
        kind: {name.split("/")[1]: text for name, text in files.items() if name.startswith(f"{kind}/")}
        for kind in ("gt", "absent")
    }
    truth = {name: boxes(text) for name, text in by_kind["gt"].items()}
    visible = {name: numbers(text) == 0 for name, text in by_kind["absent"].items()}
    for tracker, expected in expectations("lasot_real").items():
        raw = archive_texts(root / f"results_{tracker}.tar.xz")
        results = {name.split("/")[-1]: boxes(text) for name, text in raw.items()}
        ours = assess("lasot", truth, results, "lasot", visible)
        check(ours, expected["official_matlab"], MATLAB, 100)
        check_published(expected["published"], ours)
        check(assess("lasot", truth, results, "pytracking", visible), expected["pytracking"], PYTRACKING, 1)
        check(assess("lasot", truth, results, "got10k", visible), expected["got10k"], GOT10K, 100)
        flagged = assess("lasot", truth, results, "pysot", visible)
        check(flagged, expected["pysot_visible_frames_only"], PYSOT, 100)
        check(assess("lasot", truth, results, "pysot"), expected["pysot_without_absent_flags"], PYSOT, 100)


def test_trackingnet_equals_the_devkit():
    root = golden_path("evaluation", "trackingnet_real")
    truth, results = (
        {name: boxes(text) for path in root.glob(f"*_{kind}.zip") for name, text in archive_texts(path).items()}
        for kind in ("GT", "subm")
    )
    ours = assess("trackingnet", truth, results, None)
    for key, wanted in expectations("trackingnet_real")["trackingnet_devkit"].items():
        assert ours.values[TRACKINGNET[key]] == pytest.approx(wanted, abs=OPE_TOLERANCE), key


def test_pooled_f_equals_pytracking():
    root = golden_path("evaluation", "vot_longterm_synthetic")
    for tracker, wanted in expectations("vot_longterm_synthetic")["pytracking_pooled"].items():
        cases = []
        for folder in sorted((root / "sequences").iterdir()):
            name = folder.name
            truth = boxes((folder / "groundtruth.txt").read_text())
            visible = ~np.isnan(truth).any(axis=1)
            stem = root / "results" / tracker / "longterm" / name / f"{name}_001"
            # Frame 0 is written as a code, and has no confidence.
            predicted = boxes(stem.with_suffix(".txt").read_text().split("\n", 1)[1])
            scores = numbers(stem.with_name(f"{stem.name}_confidence.value").read_text())
            track = Track(boxes=np.concatenate([truth[:1], predicted]), scores=np.concatenate([[np.nan], scores]))
            cases.append(Case(truth=np.nan_to_num(truth), visible=visible, track=track))
        curve = pool(cases)
        best = curve.best
        reached = {"F": curve.f[best], "precision": curve.precision[best], "recall": curve.recall[best]}
        reached["threshold"] = curve.thresholds[best]
        assert reached == pytest.approx(wanted, abs=1e-4)


def test_reference_boxes_give_the_reference_auc():
    reference = json.loads(golden_path("real", "atom_multiscale_resnet18.json").read_text())
    sequences = golden_path("real").parents[1] / "data" / "sequences"
    if not sequences.exists():
        pytest.skip("needs data/sequences beside the golden folder")
    aucs = {}
    for name, track in reference["sequences"].items():
        truth = read_boxes(sequences / name / "groundtruth.txt")
        aucs[name] = score_track(truth, np.array(track["boxes_xywh"]))["AUC"] / 100
        assert aucs[name] == pytest.approx(track["auc"], abs=5.1e-5), name
    assert np.mean(list(aucs.values())) == pytest.approx(reference["mean_auc"], abs=5.1e-5)
