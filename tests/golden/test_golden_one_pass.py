"""One-pass measures against numbers that official toolkits and the reference computed on real annotations."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lockon.data.sequences import read_boxes
from lockon.evaluation import mean_scores, one_pass_scores

GOLDEN = Path(os.environ.get("LOCKON_GOLDEN", Path(__file__).parents[3] / "shared" / "golden"))
REFERENCE = GOLDEN / "real" / "atom_multiscale_resnet18.json"
SEQUENCES = GOLDEN.parent / "data" / "sequences"
TOOLKIT_RUNS = [
    ("otb100_real", "ATOM", "got10k"),
    ("otb100_real", "SiamFC", "got10k"),
    ("uav_realgt_synthpred", "T1", "got10k_uav123"),
    ("uav_realgt_synthpred", "T2", "got10k_uav123"),
]


@pytest.mark.skipif(not (REFERENCE.exists() and SEQUENCES.exists()), reason="needs golden/real and data/sequences")
def test_reference_boxes_give_the_reference_auc():
    reference = json.loads(REFERENCE.read_text())
    aucs = {}
    for name, track in reference["sequences"].items():
        truth = read_boxes(SEQUENCES / name / "groundtruth.txt")
        aucs[name] = one_pass_scores(truth, np.array(track["boxes_xywh"])).success_auc
        assert aucs[name] == pytest.approx(track["auc"], abs=5.1e-5), name
    assert np.mean(list(aucs.values())) == pytest.approx(reference["mean_auc"], abs=5.1e-5)


def read_track(root, tracker, name):
    truth, predicted = (
        np.array(path.read_text().replace(",", " ").split(), dtype=np.float64).reshape(-1, 4)
        for path in (root / "gt" / f"{name}.txt", root / "results" / tracker / f"{name}.txt")
    )
    # The toolkit cuts both to the shorter. OTB's Tiger1 has results without its first frames: aligned at the end.
    frames = min(len(truth), len(predicted))
    return (truth[-frames:], predicted[-frames:]) if name == "Tiger1" else (truth[:frames], predicted[:frames])


@pytest.mark.parametrize(("folder", "tracker", "toolkit"), TOOLKIT_RUNS)
def test_scores_equal_the_got10k_toolkit(folder, tracker, toolkit):
    root = GOLDEN / "evaluation" / folder
    if not root.exists():
        pytest.skip(f"needs golden/evaluation/{folder}")
    expected = json.loads((root / "expected.json").read_text())[tracker][toolkit]
    scores = {}
    for name, sequence in expected["per_sequence"].items():
        scores[name] = one_pass_scores(*read_track(root, tracker, name))
        assert scores[name].success_auc == pytest.approx(sequence["success_score"], abs=1e-6), name
        assert scores[name].precision_at_20 == pytest.approx(sequence["precision_score"], abs=1e-6), name
    mean = mean_scores(list(scores.values()))
    assert mean.success_auc == pytest.approx(expected["success_score"], abs=1e-6)
    assert mean.success[10] == pytest.approx(expected["success_rate"], abs=1e-6)
    assert mean.precision_at_20 == pytest.approx(expected["precision_score"], abs=1e-6)


@pytest.mark.parametrize("tracker", ["ATOM", "SiamFC"])
def test_normalised_precision_equals_pytracking(tracker):
    root = GOLDEN / "evaluation" / "otb100_real"
    if not root.exists():
        pytest.skip("needs golden/evaluation/otb100_real")
    expected = json.loads((root / "expected.json").read_text())[tracker]["pytracking"]["per_sequence"]
    compared = 0
    for name, sequence in expected.items():
        truth, predicted = read_track(root, tracker, name)
        if (truth > 0).all():  # elsewhere that toolkit counts annotations that touch the border as hits
            score = one_pass_scores(truth, predicted).normalised_precision_at_20
            assert 100 * score == pytest.approx(sequence["NP20"], abs=1e-3), name
            compared += 1
    assert compared == 96
