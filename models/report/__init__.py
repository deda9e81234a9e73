"""Showing figures: report.html with plots and card.md, both self-contained."""

from models.report.card import model_card
from models.report.page import write_report

__all__ = ["model_card", "write_report"]
