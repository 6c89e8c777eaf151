"""Grading submissions without trusting them.

validate reads a notebook, answers finds the code to grade, jail runs it, marking gives points,
clean and gradebook hand the outcome to nbgrader. batch does this for all students.
"""
