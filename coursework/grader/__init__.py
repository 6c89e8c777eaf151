"""Grading submissions without trusting them: validate, graft, jail, compare, inject."""
