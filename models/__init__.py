"""Pictures and numbers: reading recordings, grading faces, evaluating and explaining the grades.

Knows nothing of users, HTTP or databases. `python -m models --help` lists what it does by itself.
"""
