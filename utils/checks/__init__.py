"""The questions asked of a learner's code, and the answers it gets."""

from utils.checks.block import residual_block
from utils.checks.report import Answer, Mistake, Report

__all__ = ["Answer", "Mistake", "Report", "residual_block"]
