"""The rule sets by name."""

from __future__ import annotations

from collections.abc import Mapping

from lockon.errors import UnknownNameError
from lockon.evaluation.one_pass.base import RuleSet
from lockon.evaluation.one_pass.got10k import GOT10K
from lockon.evaluation.one_pass.lasot import LASOT
from lockon.evaluation.one_pass.otb import OTB
from lockon.evaluation.one_pass.pysot import PYSOT
from lockon.evaluation.one_pass.pytracking import PYTRACKING, PYTRACKING_VALID
from lockon.evaluation.one_pass.trackingnet import TRACKINGNET

RULE_SETS: Mapping[str, RuleSet] = {
    rules.name: rules for rules in (PYTRACKING, PYTRACKING_VALID, OTB, LASOT, TRACKINGNET, PYSOT, GOT10K)
}


def rule_set(name: str) -> RuleSet:
    """A rule set by name.

    Raises:
        UnknownNameError: there is none of this name.
    """
    try:
        return RULE_SETS[name]
    except KeyError:
        raise UnknownNameError("rule set", name, RULE_SETS) from None
