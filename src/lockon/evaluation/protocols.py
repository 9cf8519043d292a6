"""The protocols by name: each makes an assessment of results on a test set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from lockon.data.testsets.base import TestSet
from lockon.errors import DataError, UnknownNameError
from lockon.evaluation import davis, got10k, identity, one_pass, oxuva, presence, youtube_vos
from lockon.evaluation.assessment import Assessment
from lockon.evaluation.tracks import Results
from lockon.evaluation.vot import longterm, multistart, supervised, supervised_rules


class Assess(Protocol):
    """A protocol: a pure function of annotation and results."""

    def __call__(self, test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
        """Numbers of every tracker.

        Args:
            test_set: sequences and their annotation.
            results: what every tracker said.
            rules: whose rules, where toolkits differ; the protocol's own choice unless given.
        """


PROTOCOLS: Mapping[str, Assess] = {
    "one_pass": one_pass.assess,
    "got10k": got10k.assess,
    "presence": presence.assess,
    "identity": identity.assess,
    "vot_supervised": supervised.assess,
    "vot_multistart": multistart.assess,
    "vot_longterm": longterm.assess,
    "oxuva": oxuva.assess,
    "davis": davis.assess,
    "youtube_vos": youtube_vos.assess,
}


RULES: Mapping[str, Collection[str]] = {
    "one_pass": one_pass.RULE_SETS,
    "vot_supervised": supervised_rules.RULES,
    "vot_longterm": longterm.RULES,
    "youtube_vos": youtube_vos.RULES,
}
"""Names of the rule sets of protocols that have several."""


def assess(test_set: TestSet, results: Results, *, rules: str | None = None) -> Assessment:
    """Assess results by the protocol of the test set.

    Raises:
        UnknownNameError: there is no such protocol, or no such rules.
        DataError: annotation or results are not fit for it.
    """
    try:
        protocol = PROTOCOLS[test_set.protocol]
    except KeyError:
        raise UnknownNameError("protocol", test_set.protocol, PROTOCOLS) from None
    return protocol(test_set, results, rules=rules)


def assess_under_all_rules(test_set: TestSet, results: Results) -> dict[str, Assessment | DataError]:
    """Results under every rule set that the protocol of the test set has; an error says why one rejects them."""
    outcomes: dict[str, Assessment | DataError] = {}
    for rules in RULES[test_set.protocol]:
        try:
            outcomes[rules] = PROTOCOLS[test_set.protocol](test_set, results, rules=rules)
        except DataError as error:
            outcomes[rules] = error
    return outcomes
