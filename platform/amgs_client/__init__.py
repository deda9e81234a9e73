"""The Python client of an aMGS site: HTTP only.

from amgs_client import Client

with Client("https://amgs.example", token="amgs_…") as site:
    score = site.score("clip.mp4")
    print(score.sentence, score.score, score.interval, score.coverage)
"""

from amgs_client.client import Client
from amgs_client.errors import Gone, NotReached, SiteError, SiteRefused
from amgs_client.scores import Score

__all__ = ["Client", "Gone", "NotReached", "Score", "SiteError", "SiteRefused"]
