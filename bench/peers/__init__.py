"""The job as a team would do it with another library: each module here runs in an environment of its own.

Nothing here imports tailrace. A peer is started with its own interpreter, `python -m bench.peers.<name>`, and told what
to do by a `Task` in the environment.
"""
