"""What a tool is, what it is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.looker import Looker
    from models.scorer import Scorer

Kind = Literal["video", "still", "table"]
"""A film; a picture or a folder of pictures; a table as CSV, tab-separated text or Excel."""
KINDS: tuple[Kind, ...] = ("video", "still", "table")
Outcome = Literal["done", "nothing_found", "several_animals", "unreadable"]


@dataclass(frozen=True)
class Figure:
    """A key figure: its title, its value (None where it cannot be told), its unit and decimals.

    `share` says that the value is a share of one and is written as percent; `interval` has its
    lower and upper end.
    """

    title: str
    value: float | None
    unit: str = ""
    digits: int = 2
    share: bool = False
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """Values over time: seconds in rising order, and a value or None for each.

    Curves of one `unit` share an axis on the page.
    """

    title: str
    times: Sequence[float]
    values: Sequence[float | None]
    unit: str = ""


@dataclass(frozen=True)
class ToolResult:
    """What a tool says of one file.

    sentence   what came out, as one would say it
    outcome    whether there was anything to measure
    figures    the key figures, the most telling one first
    curves     values over time, for the chart
    columns, rows
               a small table for the page
    advice     sentences that say what to do better
    summary    everything as plain numbers, texts, lists and dictionaries
    files      names of the files written into the folder of the context
    phantom    whether it rests on rendered faces; a run over a bundle that does sets it
    """

    sentence: str
    outcome: Outcome = "done"
    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    advice: tuple[str, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    phantom: bool = False

    def to_json(self) -> dict[str, Any]:
        """The result as dictionaries, lists, strings and numbers."""
        return asdict(self)


class Stopped(BaseException):
    """Somebody asked the tool to stop; not an `Exception`, so that no tool catches it by chance."""


class ToolContext:
    """What a tool may use: a folder for its files, the bundle, and ways to tell and to ask.

    `load` gives the bundle and is called at the first use, so that a tool that needs none costs
    none; `scorer` may bring an opened one of that bundle.
    """

    def __init__(
        self,
        folder: Path,
        *,
        load: Callable[[], Bundle] | None = None,
        scorer: Callable[[], Scorer] | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        name: str = "",
        sha256: str = "",
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        """The name that people gave the file; what is on disk may be called otherwise."""
        self.sha256 = sha256
        """The digest of the file, where the caller knows it."""
        self.origin = dict(origin or {})
        """What else every result is to name, such as the model version."""
        self.problems: list[str] = []
        """Sentences on what could not be read; the page shows them under the advice."""
        self._load, self._scorer = load, scorer
        self._on_progress, self._should_stop = on_progress, should_stop

    @cached_property
    def bundle(self) -> Bundle:
        """The bundle: finder, eye reader and graphs; raises BundleError where there is none."""
        from models.bundle import default_bundle

        return (self._load or default_bundle)()

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer of the bundle."""
        from models.scorer import Scorer

        bundle = self.bundle
        return self._scorer() if self._scorer is not None else Scorer(bundle)

    @property
    def looker(self) -> Looker:
        """The finder and the eye reader of the bundle."""
        return self.scorer.looker

    @property
    def used_bundle(self) -> Bundle | None:
        """The bundle if the tool asked for it."""
        return self.__dict__.get("bundle")

    def progress(self, share: float, note: str = "") -> None:
        """Say how far the work is (0..1); ends the tool where somebody asked it to stop."""
        if self._should_stop is not None and self._should_stop():
            raise Stopped
        if self._on_progress is not None:
            try:
                self._on_progress(min(max(share, 0.0), 1.0), note)
            except Exception as reason:
                raise Stopped from reason


@runtime_checkable
class Tool(Protocol):
    """The class that an entry point of the group `amgs.tools` names; it is made without arguments.

    name          letters, digits and hyphens, as in an address; equal to the entry point's
    version       changes whenever the same file may get another answer
    title         what people read
    summary       one or two sentences: what it measures and what not
    Params        a dataclass; see `models.tools.schema`
    accepts       the kinds of media it looks at
    gives_grades  whether its answer holds grades of grimace; such a tool runs only where a
                  validated model serves
    """

    name: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    Params: ClassVar[type]
    accepts: ClassVar[tuple[Kind, ...]]
    gives_grades: ClassVar[bool]

    def run(self, media: Path, params: Any, context: ToolContext) -> ToolResult:
        """Look at one file, or a folder of pictures; raises Refused or Unreadable.

        Files are written into `context.folder` and named in the result.
        """
        ...
