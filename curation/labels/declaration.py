"""What every sheet declares about how its scores came about, in the terms of the metadata."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from curation.metadata import BY_KEY, validate
from curation.problems import Problem


@dataclass(frozen=True)
class Declaration:
    """How the scores of one sheet came about; an empty field is not yet declared."""

    scored_from: str = ""
    """Live animal, pictures or video."""
    raters_blind: str = ""
    """Whether the raters were blind to group and time: yes, no, unknown."""
    frames_chosen: str = ""
    """How the frames were chosen."""
    raters_experience: str = ""
    """How the raters were trained and for how long they have scored."""

    def to_json(self) -> dict[str, str]:
        """Return what is declared, by metadata field."""
        return {key: value for key, value in asdict(self).items() if value}

    def problems(self, sheet: str) -> list[Problem]:
        """Return what is missing from the declaration of a sheet, or is no term of its field."""
        missing = [
            Problem(f"{BY_KEY[key].title}: not declared. {BY_KEY[key].help}", sheet, field=key)
            for key, value in asdict(self).items()
            if not value
        ]
        return missing + validate("dataset", self.to_json())
