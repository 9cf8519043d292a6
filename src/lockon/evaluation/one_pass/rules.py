"""The rule sets by name."""

from __future__ import annotations

from collections.abc import Mapping

from lockon.errors import DataError, UnknownNameError
from lockon.evaluation.one_pass.base import RuleSet
from lockon.evaluation.one_pass.got10k import GOT10K
from lockon.evaluation.one_pass.lasot import LASOT
from lockon.evaluation.one_pass.otb import OTB
from lockon.evaluation.one_pass.pysot import PYSOT
from lockon.evaluation.one_pass.pytracking import PYTRACKING, PYTRACKING_VALID, with_options
from lockon.evaluation.one_pass.trackingnet import TRACKINGNET

RULE_SETS: Mapping[str, RuleSet] = {
    rules.name: rules for rules in (PYTRACKING, PYTRACKING_VALID, OTB, LASOT, TRACKINGNET, PYSOT, GOT10K)
}


def rule_set(text: str) -> RuleSet:
    """A rule set by name, changed by options where there are some: `pytracking:plot_bin_gap=0.01,anno_period=30`.

    Raises:
        UnknownNameError: there is none of this name, or no such option.
        DataError: it has no options, or a value is no good.
    """
    name, colon, options = text.partition(":")
    if name not in RULE_SETS:
        raise UnknownNameError("rule set", name, RULE_SETS)
    if not colon:
        return RULE_SETS[name]
    if name != PYTRACKING.name:
        raise DataError(f"the rules '{name}' have no options, as in '{text}'; those of pytracking have some.")
    return with_options(PYTRACKING, options)
