"""gradcheck: compare the gradients of a function with finite differences.

Every numeric derivative comes with an estimate of its own error. So a gradient is called wrong only
where it lies outside of that error, and a kink is told from a mistake.
"""

from microgradlib.checking.checks import gradcheck, gradcheck_module
from microgradlib.checking.differences import Slope
from microgradlib.checking.report import Entry, Report

__all__ = ["Entry", "Report", "Slope", "gradcheck", "gradcheck_module"]
