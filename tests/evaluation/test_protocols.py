import pytest

from evaluation.made_up import ABSENT, BOX, boxes, make_set, run, sequence, still
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment
from lockon.evaluation.one_pass import RULE_SETS
from lockon.evaluation.protocols import PROTOCOLS, assess, assess_under_all_rules


def test_a_test_set_is_assessed_by_its_own_protocol():
    results = {"x": [run({"a": still(2)})]}
    assert assess(make_set(sequence("a", still(2))), results).protocol == "one_pass"
    got10k = make_set(sequence("a", still(2), image_size=(64, 48)), protocol="got10k")
    assert assess(got10k, results).protocol == "got10k"
    assert {"one_pass", "got10k", "presence"} <= PROTOCOLS.keys()
    with pytest.raises(UnknownNameError, match="unknown protocol 'two_pass'"):
        assess(make_set(sequence("a", still(2)), protocol="two_pass"), results)


def test_all_rules_stand_side_by_side_and_one_that_rejects_says_why():
    test_set = make_set(sequence("a", still(2)))
    outcomes = assess_under_all_rules(test_set, {"x": [run({"a": boxes(BOX, ABSENT)})]})
    assert outcomes.keys() == RULE_SETS.keys()
    assert isinstance(outcomes["pytracking"], DataError)
    assert isinstance(outcomes["otb"], Assessment)
    # The MATLAB rules repeat the box before the NaN, the GOT-10k toolkit counts a miss.
    aucs = {name: outcomes[name].trackers[0].values["AUC"] for name in ("otb", "got10k")}
    assert aucs == pytest.approx({"otb": 100 * 20 / 21, "got10k": 100 * 10 / 21})
