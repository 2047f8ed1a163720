"""Commands over agents: who brings merchants in and speaks for them, each under a number of the vendor's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anytill.cli import office as desk
from anytill.cli.keeping import ConfigFile, StoreUrl
from anytill.cli.office import AsJson, SecretEnv, SecretFile, Url

if TYPE_CHECKING:
    from anytill.bootstrap import Keeping
    from anytill.core.secret import Secret

agent = typer.Typer(help="Agents: who brings merchants in and speaks for them.", no_args_is_help=True)


@agent.command()
def add(
    dialect: Annotated[str, typer.Argument(help="A dialect whose keys are an agent's: chaoying.")],
    agent_id: Annotated[str, typer.Argument(help="The agent's number: its login.")],
    name: Annotated[str, typer.Argument(help="What it is called.")],
    secret_env: SecretEnv = "",
    secret_file: SecretFile = "",
    url: Url = "",
    config: ConfigFile = None,
    store: StoreUrl = "",
    as_json: AsJson = False,
) -> None:
    """Add an agent with a key of a dialect; the key is printed once."""
    from anytill.core.merchant import Agent, Credential
    from anytill.dialects import Login
    from anytill.gateway.office import AlreadyThere

    found = desk.dialect_of(dialect, Login.AGENT)
    new = Agent(desk.login(agent_id), desk.name(name))
    given = desk.given_secret(secret_env, secret_file)

    async def task(keeping: Keeping) -> Secret:
        await desk.refuse_known_login(keeping, found, agent_id)
        secret = given or desk.new_secret(keeping, found)
        act = keeping.office.act(desk.actor(), "agent.add", agent_id, name=name, dialect=found.name)
        if not await keeping.store.add_agent(new, Credential(found.name, agent_id, secret, {}), act):
            raise AlreadyThere(f"there is an agent {agent_id} already")
        return secret

    secret = desk.kept(config, store, task, create=True)
    desk.IssuedKey(found, agent_id, None if given else secret).show(url, as_json=as_json)


@agent.command("list")
def list_agents(config: ConfigFile = None, store: StoreUrl = "", as_json: AsJson = False) -> None:
    """List the agents and the merchants that each speaks for."""

    from anytill.dialects import Login, load_dialects

    of_agents = {name for name, dialect in load_dialects().items() if dialect.signs is Login.AGENT}

    async def task(keeping: Keeping) -> list[dict[str, object]]:
        # Another dialect's login may be spelled the same.
        keys = [key for key in await keeping.store.credentials() if key.dialect in of_agents]
        return [
            {
                "agent_id": each.agent_id,
                "name": each.name,
                "merchants": {k: v for key in keys if key.login == each.agent_id for k, v in key.merchants.items()},
            }
            for each in await keeping.store.agents()
        ]

    desk.show_all(desk.kept(config, store, task), "there are no agents", as_json=as_json)
