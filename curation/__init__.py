"""The rules of curation: which state may follow which, who may decide, what is good enough.

Nothing here knows of a database or a network; a rule reads only the facts or the file it is handed.
"""
