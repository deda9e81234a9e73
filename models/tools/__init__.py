"""Tools: small programs that look at one file and say something about it, built in or plugged in.

A tool is a class with a name, a version, a title, a summary, a dataclass `Params`, the kinds of
media it accepts and `run(media, params, context)`. Any installed package may bring one through the
entry-point group `amgs.tools`; those of this program come in by the same door. The command line,
the pages, the API and the reference are all made from what the class says of itself.
"""

from models.tools.protocol import Curve, Figure, Kind, Tool, ToolContext, ToolResult
from models.tools.registry import GROUP, Listed, find_tool, listed_tools
from models.tools.running import ToolBroke, kind_of, run_tool
from models.tools.schema import WrongParameter, json_schema, option, parse

__all__ = [
    "GROUP",
    "Curve",
    "Figure",
    "Kind",
    "Listed",
    "Tool",
    "ToolBroke",
    "ToolContext",
    "ToolResult",
    "WrongParameter",
    "find_tool",
    "json_schema",
    "kind_of",
    "listed_tools",
    "option",
    "parse",
    "run_tool",
]
