"""The back office: agents, merchants, their shops and people, and how each comes to be who it says it is.

Everything done here is written down with it, by whom (`changes`). What could be guessed at (codes, passwords) can be
tried a few times only, and a wrong guess looks like an unknown name. Tills and keys are `devices`' affair.
"""

from __future__ import annotations

from anytill.core.device import Act, Operator, Shop
from anytill.core.merchant import Agent, Credential, Merchant
from anytill.core.passwords import password_hash
from anytill.core.records import changed
from anytill.gateway.changes import Acts, AlreadyThere, ChangedMeanwhile, NotThere
from anytill.gateway.codes import Passcodes
from anytill.gateway.enrolment import Enrolment
from anytill.gateway.passwords import Passwords, at_once
from anytill.ports import Aside, Chance, Clock, Register


class Office:
    """Over the register of who is who."""

    def __init__(
        self,
        register: Register,
        clock: Clock,
        chance: Chance,
        code_key: bytes,
        passcodes: Passcodes | None,
        aside: Aside = at_once,
    ) -> None:
        self._register = register
        self._chance = chance
        self._passcodes = passcodes
        self._passwords = Passwords(clock, chance, aside)
        self._acts = Acts(clock, chance)
        self._enrolment = Enrolment(register, clock, chance, code_key, self.act)

    def act(self, actor: str, what: str, subject: str, merchant_id: str = "", **about: str) -> Act:
        """A line for the record of what was done, as of now."""
        return self._acts.act(actor, what, subject, merchant_id, **about)

    # Merchants

    async def merchant(self, merchant_id: str) -> Merchant:
        """One merchant, whatever its state. Raises NotThere."""
        merchant = await self._register.merchant(merchant_id)
        if merchant is None:
            raise NotThere(f"there is no merchant {merchant_id}")
        return merchant

    async def add_merchant(self, merchant: Merchant, actor: str) -> None:
        """A new merchant. Raises AlreadyThere."""
        await self._refuse_taken(merchant)
        act = self.act(actor, "merchant.add", merchant.merchant_id, merchant.merchant_id, name=merchant.name)
        if not await self._register.add_merchant(merchant, act):
            raise AlreadyThere(
                f"there is a merchant {merchant.merchant_id} already, or one with its mobile or username"
            )

    async def change_merchant(self, before: Merchant, after: Merchant, actor: str, what: str, **about: str) -> bool:
        """Replace a merchant; False when it was changed meanwhile, or its mobile or user name is taken."""
        act = self.act(actor, what, before.merchant_id, before.merchant_id, **about)
        return await self._register.move_merchant(before, after, act)

    async def set_merchant(self, before: Merchant, after: Merchant, actor: str, what: str, **about: str) -> None:
        """The same for people, who are told why it cannot be. Raises AlreadyThere, ChangedMeanwhile."""
        await self._refuse_taken(after)
        if not await self.change_merchant(before, after, actor, what, **about):
            raise ChangedMeanwhile(before.merchant_id)

    async def _refuse_taken(self, merchant: Merchant) -> None:
        """An agent knows one merchant by a mobile, and one by a user name. Raises AlreadyThere."""
        for what, value, found in (
            ("mobile", merchant.mobile, self._register.merchant_by_mobile),
            ("user name", merchant.username, self._register.merchant_by_username),
        ):
            other = await found(merchant.agent_id, value) if value else None
            if other is not None and other.merchant_id != merchant.merchant_id:
                raise AlreadyThere(f"{other.merchant_id} of the same agent has this {what} already")

    # Agents, and the merchants that they speak for

    async def add_agent(self, agent: Agent, credential: Credential, actor: str) -> None:
        """A new agent with its first key. Raises AlreadyThere."""
        dialect, login = credential.dialect, credential.login
        if await self._register.credential(dialect, login) is not None:
            raise AlreadyThere(f"there is a login {login} of {dialect} already")
        act = self.act(actor, "agent.add", agent.agent_id, name=agent.name, dialect=dialect)
        if not await self._register.add_agent(agent, credential, act):
            raise AlreadyThere(f"there is an agent {agent.agent_id} already")

    async def refuse_unknown_agent(self, agent_id: str) -> None:
        """Raises NotThere when there is no such agent; an empty one is none."""
        if agent_id and agent_id not in {each.agent_id for each in await self._register.agents()}:
            raise NotThere(f"there is no agent {agent_id}")

    async def join(self, merchant_id: str, dialect: str, agent_id: str, number: str, actor: str) -> Merchant:
        """Let an agent speak for a merchant under a number, in one step with the merchant becoming the agent's own if
        it belonged to nobody. Raises NotThere, AlreadyThere, ChangedMeanwhile."""
        before = await self.merchant(merchant_id)
        credential = await self._register.credential(dialect, agent_id)
        if credential is None:
            raise NotThere(f"there is no login {agent_id} of {dialect}")
        if number in credential.merchants:
            raise AlreadyThere(f"agent {agent_id} has a merchant {number} already")
        after = before if before.agent_id else changed(before, agent_id=agent_id)
        await self._refuse_taken(after)
        about = {"agent": agent_id, "number": number} | ({} if after == before else {"changed": "agent_id"})
        act = self.act(actor, "merchant.join", merchant_id, merchant_id, **about)
        if not await self._register.join_merchant(before, after, dialect, agent_id, number, act):
            raise ChangedMeanwhile(f"{merchant_id}, or what agent {agent_id} speaks for,")
        return after

    async def leave(self, dialect: str, agent_id: str, number: str, actor: str) -> str:
        """An agent speaks for the merchant of this number no more; which one it was. Raises NotThere."""
        credential = await self._register.credential(dialect, agent_id)
        merchant_id = credential.merchants.get(number, "") if credential else ""
        act = self.act(actor, "merchant.leave", merchant_id, merchant_id, agent=agent_id, number=number)
        if not (merchant_id and await self._register.drop_mandate(dialect, agent_id, number, act)):
            raise NotThere(f"agent {agent_id} has no merchant {number}")
        return merchant_id

    async def enrol(self, credential: Credential, merchant: Merchant, actor: str, words: str = "") -> str | None:
        """A new merchant of an agent, under a new number of eight digits; the id that `merchant` brings is not used.
        None when the agent has its mobile or user name already, or `words`, all that it said, are those of `enrolled`.
        """
        return await self._enrolment.enrol(credential, merchant, actor, words)

    async def enrolled(self, credential: Credential, words: str) -> Merchant | None:
        """The merchant that an agent brought in with these words: at any time if they name a person, else within a
        day."""
        return await self._enrolment.enrolled(credential, words)

    # A merchant's shops, and the people at its tills

    async def add_shop(self, shop: Shop, actor: str) -> None:
        """A new shop. Raises NotThere, AlreadyThere."""
        await self.merchant(shop.merchant_id)
        act = self.act(actor, "shop.add", shop.shop_id, shop.merchant_id, name=shop.name)
        if not await self._register.add_shop(shop, act):
            raise AlreadyThere(f"there is a shop {shop.shop_id} of {shop.merchant_id} already")

    async def refuse_unknown_shop(self, merchant_id: str, shop_id: str) -> None:
        """Raises NotThere when the merchant has no such shop; an empty one is none."""
        if shop_id and shop_id not in {each.shop_id for each in await self._register.shops_of(merchant_id)}:
            raise NotThere(f"there is no shop {shop_id} of {merchant_id}")

    async def add_operator(self, operator: Operator, actor: str) -> None:
        """A new person at a till. Raises NotThere, AlreadyThere."""
        await self.merchant(operator.merchant_id)
        await self.refuse_unknown_shop(operator.merchant_id, operator.shop_id)
        act = self.act(actor, "operator.add", operator.operator_id, operator.merchant_id, name=operator.name)
        if not await self._register.add_operator(operator, act):
            raise AlreadyThere(f"there is an operator {operator.operator_id} of {operator.merchant_id} already")

    async def switch_operator(self, merchant_id: str, operator_id: str, *, on: bool, actor: str) -> Operator:
        """A person works here again, or no more. Raises NotThere, ChangedMeanwhile."""
        known = {each.operator_id: each for each in await self._register.operators_of(merchant_id)}
        if operator_id not in known:
            raise NotThere(f"there is no operator {operator_id} of {merchant_id}")
        after = changed(known[operator_id], active=on)
        act = self.act(actor, "operator.on" if on else "operator.off", operator_id, merchant_id)
        if not await self._register.move_operator(known[operator_id], after, act):
            raise ChangedMeanwhile(f"operator {operator_id} of {merchant_id}")
        return after

    # Passwords, and one-time codes for people

    def hashed(self, password: str) -> str:
        """A password as a merchant keeps it, for a program that serves nobody meanwhile."""
        return password_hash(password, self._chance.token(16))

    async def new_password(self, agent_id: str, password: str) -> str:
        """The same while others are served: of one of the agent's people. Raises Overloaded."""
        return await self._passwords.hashed(agent_id, password)

    async def has_password(self, merchant: Merchant, password: str) -> bool:
        """Whether this is the password of an agent's merchant; False after too many wrong tries. Raises Overloaded."""
        return await self._passwords.fits(merchant.agent_id, merchant.username, password, merchant.password_hash)

    async def merchant_by_password(self, agent_id: str, username: str, password: str) -> Merchant | None:
        """The agent's merchant that logs in so; None for whatever is wrong, and after too many wrong tries. Raises
        Overloaded."""
        merchant = await self._register.merchant_by_username(agent_id, username)
        kept = merchant.password_hash if merchant else ""
        return merchant if await self._passwords.fits(agent_id, username, password, kept) else None

    @property
    def can_send(self) -> bool:
        """Whether short messages go out at all."""
        return self._passcodes is not None

    def send_passcode(self, agent_id: str, mobile: str) -> bool:
        """Have a code sent to this mobile, if the agent has a merchant there: to whoever asks it looks the same. False
        when it was asked for too often."""
        return self._passcodes is not None and self._passcodes.send(agent_id, mobile)

    async def merchant_by_passcode(self, agent_id: str, mobile: str, code: str) -> Merchant | None:
        """The agent's merchant whose person holds this mobile; None for whatever is wrong. The code works once."""
        return await self._passcodes.merchant(agent_id, mobile, code) if self._passcodes else None
