"""Long runs: what is measured and kept of them, and how several workers share one.

Begin with `history` and `checkpoint`; `team` and `launch` are for several devices and workers.
"""
