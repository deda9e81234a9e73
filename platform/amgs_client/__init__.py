"""The Python client of an aMGS site: HTTP only.

from amgs_client import Client

with Client("https://amgs.example", token="amgs_…") as site:
    run = site.score("clip.mp4")
    print(run["result"]["sentence"])
"""

from amgs_client.client import Client
from amgs_client.errors import Gone, NotReached, SiteError, SiteRefused

__all__ = ["Client", "Gone", "NotReached", "SiteError", "SiteRefused"]
