"""Projecting a batch of events in machine code, where numba is installed: the extra `native`.

    steps of a writer schema ── walk_program ──┐
                                               ├──> batch ── kernel ──> records
    rules and record layout ── record_program ─┘

What is refused here is projected by the generated functions in Python, and what these refuse by the reference: so this
has to be right about what it takes, and never has to take anything. `loading` gets it ready beside a running worker.
Source: docs/DESIGN.md, Three projectors.
"""
