"""Hold the tools that a configuration names against the tools that there are."""

from collections.abc import Iterable

from interlock.config.agent_file import CATEGORY
from interlock.config.deployment import Deployment, ToolMention
from interlock.config.problems import echo, nearest
from interlock.domain.ids import ToolName
from interlock.domain.problems import Problem


def resolve(deployment: Deployment, tools: Iterable[ToolName], categories: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Return a problem for every tool or category that an agent or a limit names and that is not among these.

    `tools` are the names in the catalogue, after overlays have renamed them. Entries of contracts files are not
    looked at: whoever lays them over the upstreams' tools also says which of them met none.
    """
    return unresolved(deployment.mentions, tools, categories)


def unresolved(
    mentions: Iterable[ToolMention], tools: Iterable[ToolName], categories: Iterable[str] = ()
) -> tuple[Problem, ...]:
    """Return a problem for every mention of a tool or `category:<name>` that is not among these."""
    known, groups = set(tools), set(categories)
    found = []
    for mention in mentions:
        if mention.name.startswith(CATEGORY):
            name = mention.name.removeprefix(CATEGORY)
            if name not in groups:
                near = nearest(name, groups)
                found.append(
                    Problem(mention.spot, f"No tool is of the category {echo(name)}", "", near and CATEGORY + near)
                )
        elif mention.name not in known:
            near = nearest(mention.name, known)
            found.append(
                Problem(mention.spot, f"There is no tool {echo(mention.name)}", "a tool of the catalogue", near)
            )
    return tuple(found)
