"""What the grader asks of each assignment. Nothing of this reaches a student."""
