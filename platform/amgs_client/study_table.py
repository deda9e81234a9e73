"""Which scores a table names: by their links or tokens, or by the names of their videos.

What the other columns hold is read by the site alone, which names every fault by row and column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from amgs_client.errors import SiteError
from amgs_client.scores import Score

LINKS = {"score", "link", "token"}
NAMES = {"name", "video", "file"}
MOST_TOLD = 10


def text_of(path: Path) -> str:
    """Return a table as text; raises ``SiteError`` where it is none."""
    data = path.read_bytes()
    if data.startswith(b"PK\x03\x04"):
        raise SiteError(f"'{path}' is an Excel file; save it as CSV (UTF-8), or send it by page.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SiteError(f"'{path}' is no text in UTF-8; save it as CSV (UTF-8).") from None
    if not text.strip():
        raise SiteError(f"'{path}' is empty.")
    return text


def named_in(text: str) -> list[tuple[int, str, str]]:
    """Return (row, link or token, name of the video) of every line that is not blank."""
    first = text.lstrip().splitlines()[0]
    mark = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    start = next(number for number, row in enumerate(rows) if any(row))
    heads = [cell.strip().lower() for cell in rows[start]]
    by_link = next((place for place, head in enumerate(heads) if head in LINKS), None)
    by_name = next((place for place, head in enumerate(heads) if head in NAMES), None)
    if by_link is None and by_name is None:
        raise SiteError(
            "The first row names the columns, and one of them is 'video' (the name of the file) "
            "or 'score' (its link or token)."
        )

    def cell(row: list[str], place: int | None) -> str:
        return row[place].strip() if place is not None and place < len(row) else ""

    return [
        (number, cell(row, by_link), cell(row, by_name))
        for number, row in enumerate(rows[start + 1 :], start + 2)
        if any(text.strip() for text in row)
    ]


def tokens_of(
    named: Iterable[tuple[int, str, str]], mine: Iterable[Score], model: str = ""
) -> list[str]:
    """Return the links or tokens that the lines name, in their order.

    A line without a link is looked up by the name of its video among ``mine``; of several scores
    of one name that by ``model`` is taken. Raises ``SiteError`` with every line that names none.
    """
    lines = list(named)
    by_name: dict[str, list[Score]] = {}
    if any(not link for _, link, _ in lines):
        for score in mine:
            by_name.setdefault(score.name, []).append(score)
    found, wrong = [], []
    for row, link, name in lines:
        if link:
            found.append(link)
            continue
        all_of_it = by_name.get(name, [])
        over = [one for one in all_of_it if one.state == "done"]
        fits = [one for one in over if model and one.model == model] or over
        if len(fits) == 1:
            found.append(fits[0].token)
        elif not name:
            wrong.append(f"row {row}: it names no video.")
        elif len(fits) > 1:
            wrong.append(
                f"row {row}: {len(fits)} of your scores are called '{name}'; name it by its link "
                "in a column 'score'."
            )
        elif all_of_it:
            wrong.append(f"row {row}: the score of '{name}' is not there yet.")
        else:
            wrong.append(f"row {row}: none of your scores is called '{name}'; score it first.")
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more."] if len(wrong) > MOST_TOLD else []
        told = "\n  ".join([*wrong[:MOST_TOLD], *more])
        raise SiteError(f"The table names scores that are not there:\n  {told}")
    return found
