"""One-pass evaluation (OPE): a tracker starts once and is followed to the end; each toolkit has rules of its own."""

from lockon.evaluation.one_pass.base import Curves, Frames, RuleSet
from lockon.evaluation.one_pass.cases import Case
from lockon.evaluation.one_pass.protocol import PLOTS, assess, score_track
from lockon.evaluation.one_pass.rules import RULE_SETS, rule_set

__all__ = ["PLOTS", "RULE_SETS", "Case", "Curves", "Frames", "RuleSet", "assess", "rule_set", "score_track"]
