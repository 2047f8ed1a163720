"""Commands over agents: who brings merchants in and speaks for them, each under a number of the vendor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import arguments
from anytill.cli.issuing import IssuedKey, SecretEnv, SecretFile, Url, given_secret
from anytill.cli.records import Facts, Several, Shown
from anytill.cli.stores import Task, actor, over_store

if TYPE_CHECKING:
    from anytill.bootstrap import Keeper

agent = typer.Typer(help="Agents: who brings merchants in and speaks for them.", no_args_is_help=True)


@agent.command()
@over_store(create=True)
def add(
    dialect: Annotated[str, typer.Argument(help="A dialect whose keys are an agent's: chaoying.")],
    agent_id: arguments.AgentId,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
) -> Task:
    """Add an agent with a key of a dialect; the key is printed once."""
    from anytill.core.merchant import Agent, Credential
    from anytill.dialects import Login

    found = arguments.dialect_of(dialect, Login.AGENT)
    new = Agent(arguments.login("AGENT_ID", found, agent_id), arguments.name(name))
    given = given_secret(secret_env, secret_file)

    async def task(keeper: Keeper) -> Shown:
        secret = given or keeper.devices.new_key(found.key)
        await keeper.office.add_agent(new, Credential(found.name, agent_id, secret, {}), actor())
        return IssuedKey(found, agent_id, None if given else secret, url=url)

    return task


@agent.command("list")
@over_store()
def list_agents() -> Task:
    """List the agents and the merchants that each speaks for."""
    from anytill.dialects import Login, load_dialects

    of_agents = {name for name, dialect in load_dialects().items() if dialect.signs is Login.AGENT}

    async def task(keeper: Keeper) -> Shown:
        # Another dialect's login may be spelled the same.
        keys = [key for key in await keeper.store.credentials() if key.dialect in of_agents]
        found: list[Facts] = [
            {
                "agent_id": each.agent_id,
                "name": each.name,
                "merchants": {k: v for key in keys if key.login == each.agent_id for k, v in key.merchants.items()},
            }
            for each in await keeper.store.agents()
        ]
        return Several(found, "there are no agents")

    return task
