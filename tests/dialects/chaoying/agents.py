"""A second agent beside the demo's, with a merchant of its own: what the one has, the other must not reach."""

from __future__ import annotations

from dataclasses import replace

from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from tests.world import World

OTHER_AGENT = "16850000000000099"
OTHER_KEY = "9" * 31 + "a"
OTHER_NUMBER = "68500099"
OTHER = {"agent_id": OTHER_AGENT}
OTHER_SHOP = Merchant("other", "另一家", agent_id=OTHER_AGENT, mobile="13800000000", username="other")


async def other_agent(world: World, **options: str) -> Credential:
    """The other agent, whose merchant's person has the same mobile as the demo's."""
    await world.store.put_merchant(replace(OTHER_SHOP, password_hash=world.gateway.office.hashed("other0password")))
    merchants = {OTHER_NUMBER: OTHER_SHOP.merchant_id}
    credential = Credential("chaoying", OTHER_AGENT, Secret(OTHER_KEY), merchants, options=options)
    await world.store.put_credential(credential)
    return credential
