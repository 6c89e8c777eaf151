"""Everything that is shown inside the jail, beside the course and a submission's code.

The whole folder is shown and nothing else of coursework/, so its modules import nothing of
grader/. The grader imports some of them: both sides must speak the same frames.
"""

WAITING = 4  # seconds on the clock for each of the processor: others may keep it busy
