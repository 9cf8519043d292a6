import pytest

from evaluation import vot_cases
from evaluation.made_up import ABSENT, BOX, boxes, make_set, run, sequence, still
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.assessment import Assessment
from lockon.evaluation.one_pass import RULE_SETS
from lockon.evaluation.protocols import PROTOCOLS, RULES, assess, assess_under_all_rules


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


def test_vot_with_resets_stands_side_by_side_as_well():
    test_set = vot_cases.together(vot_cases.sequence("a", 40))
    outcomes = assess_under_all_rules(test_set, {"x": [{"a": vot_cases.run_with_failure(40, 20)}]})
    assert list(outcomes) == ["pysot", "matlab", "vot_toolkit"]
    robustness = {name: outcome.trackers[0].values["Robustness"] for name, outcome in outcomes.items()}
    # One failure in 40 frames; the Python toolkit counts failures in a sequence instead.
    assert robustness == pytest.approx({"pysot": 2.5, "matlab": 2.5, "vot_toolkit": 1})


def test_every_rule_set_that_is_listed_is_one_of_its_protocol():
    for protocol, names in RULES.items():
        assert len(names) > 1
        for name in names:
            with pytest.raises(DataError, match="no results"):
                PROTOCOLS[protocol](make_set(sequence("a", still(2)), protocol=protocol), {}, rules=name)
