"""ports.Register, once, over whatever database an engine speaks to: who is who, and what was done to them.

As in `store`, each method says what must happen as a `Write` of named statements. The act that tells of a write is its
last step, so that it is written with it or not at all; it is also the witness of the write, for it names it alone.

Secrets are sealed each for its place: a key or a password that somebody moves to another login, or a password that is
put where a key stands, does not open.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeVar

from anytill.core.device import Act, Device, OneTimeCode, Operator, Shop, Sighting
from anytill.core.merchant import Agent, Credential, CredentialSummary, Merchant
from anytill.core.secret import Secret
from anytill.storage import register_rows as rows
from anytill.storage.rows import Values, json_text
from anytill.storage.vault import Vault
from anytill.storage.writes import Engine, Lane, Rejected, Row, Step, Taken, Write

T = TypeVar("T")
_USE_BYTES: Final = 16


class SqlRegister:
    """The register's half of the store; its methods are described in ports.Register.

    Every write may raise StoreUnavailable, and Rejected (a ValueError) when the database's rules forbid it.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    # Merchants

    async def merchant(self, merchant_id: str) -> Merchant | None:
        return await self._one("merchant", {"merchant_id": merchant_id}, rows.merchant_of)

    async def put_merchant(self, merchant: Merchant, act: Act | None = None) -> None:
        await self._put((merchant.merchant_id,), act, Step("put_merchant", rows.merchant_values(merchant)))

    async def add_merchant(self, merchant: Merchant, act: Act) -> bool:
        step = Step("add_merchant", rows.merchant_values(merchant), must_touch=1)
        return await self._change((merchant.merchant_id,), act, step)

    async def move_merchant(self, before: Merchant, after: Merchant, act: Act | None = None) -> bool:
        return await self._move_merchant(before, after, act)

    async def join_merchant(
        self, before: Merchant, after: Merchant, dialect: str, login: str, number: str, act: Act
    ) -> bool:
        return await self._move_merchant(before, after, act, _add_mandate(dialect, login, number, after.merchant_id))

    async def _move_merchant(self, before: Merchant, after: Merchant, act: Act | None, *further: Step) -> bool:
        step = Step("move_merchant", rows.moved_merchant(before, after), must_touch=1)
        try:
            return await self._change((before.merchant_id,), act, step, *further)
        except Taken:
            return False

    async def enrol_merchant(self, merchant: Merchant, dialect: str, login: str, number: str, act: Act) -> bool:
        return await self._change(
            (merchant.merchant_id,),
            act,
            Step("add_merchant", rows.merchant_values(merchant), must_touch=1),
            _add_mandate(dialect, login, number, merchant.merchant_id),
        )

    async def merchant_by_mobile(self, agent_id: str, mobile: str) -> Merchant | None:
        return await self._one("merchant_by_mobile", {"agent_id": agent_id, "mobile": mobile}, rows.merchant_of)

    async def merchant_by_username(self, agent_id: str, username: str) -> Merchant | None:
        return await self._one("merchant_by_username", {"agent_id": agent_id, "username": username}, rows.merchant_of)

    async def merchants(self, limit: int) -> Sequence[Merchant]:
        return await self._all("merchants", {"most": limit}, rows.merchant_of)

    # Credentials

    async def credential(self, dialect: str, login: str) -> Credential | None:
        found = await self._engine.read("credential", {"dialect": dialect, "login": login})
        if not found:
            return None
        secret, previous, active, options, password, previous_until_ms, version, _, _ = found[0]
        return Credential(
            dialect=dialect,
            login=login,
            secret=self._unsealed(secret, dialect, login),
            previous=None if previous is None else self._unsealed(previous, dialect, login),
            merchants=rows.mandates_of(found),
            active=bool(active),
            options=rows.texts_of(options),
            password=None if password is None else self._unsealed(password, *_password_of(dialect, login)),
            previous_until_ms=previous_until_ms,
            version=version,
        )

    async def credentials(self, merchant_id: str = "") -> Sequence[CredentialSummary]:
        found = await self._engine.read("credentials", {"merchant_id": merchant_id})
        return [rows.summary_of(list(each)) for _, each in groupby(found, key=lambda row: (row[0], row[1]))]

    async def put_credential(self, credential: Credential, act: Act | None = None) -> None:
        put = Step("put_credential", self._credential_values(credential))
        await self._put((credential.dialect, credential.login), act, put, *_mandate_steps(credential))

    async def add_credential(self, credential: Credential, act: Act) -> bool:
        return await self._change((credential.dialect, credential.login), act, *self._add_credential(credential))

    async def move_credential(self, credential: Credential, act: Act | None = None) -> bool:
        return await self._change((credential.dialect, credential.login), act, self._move_credential(credential))

    async def add_mandate(self, dialect: str, login: str, number: str, merchant_id: str, act: Act) -> bool:
        return await self._change((dialect, login), act, _add_mandate(dialect, login, number, merchant_id))

    async def drop_mandate(self, dialect: str, login: str, number: str, act: Act) -> bool:
        values: Values = {"dialect": dialect, "login": login, "number": number}
        return await self._change((dialect, login), act, Step("drop_mandate", values, must_touch=1))

    # Agents, shops, operators, devices

    async def put_agent(self, agent: Agent, act: Act | None = None) -> None:
        await self._put((agent.agent_id,), act, Step("put_agent", rows.agent_values(agent)))

    async def add_agent(self, agent: Agent, credential: Credential | None, act: Act) -> bool:
        add = Step("add_agent", rows.agent_values(agent), must_touch=1)
        return await self._change(
            (agent.agent_id,), act, add, *(self._add_credential(credential) if credential else ())
        )

    async def agents(self) -> Sequence[Agent]:
        return await self._all("agents", {}, rows.agent_of)

    async def add_shop(self, shop: Shop, act: Act) -> bool:
        add = Step("add_shop", rows.shop_values(shop), must_touch=1)
        return await self._change((shop.merchant_id, shop.shop_id), act, add)

    async def shops_of(self, merchant_id: str) -> Sequence[Shop]:
        return await self._all("shops_of", {"merchant_id": merchant_id}, rows.shop_of)

    async def add_operator(self, operator: Operator, act: Act) -> bool:
        add = Step("add_operator", rows.operator_values(operator), must_touch=1)
        return await self._change((operator.merchant_id, operator.operator_id), act, add)

    async def move_operator(self, before: Operator, after: Operator, act: Act) -> bool:
        move = Step("move_operator", rows.moved_operator(before, after), must_touch=1)
        return await self._change((before.merchant_id, before.operator_id), act, move)

    async def operators_of(self, merchant_id: str) -> Sequence[Operator]:
        return await self._all("operators_of", {"merchant_id": merchant_id}, rows.operator_of)

    async def put_device(self, device: Device, credential: Credential | None = None, act: Act | None = None) -> None:
        steps = [Step("put_device", rows.device_values(device))]
        if credential is not None:
            steps += [Step("put_credential", self._credential_values(credential)), *_mandate_steps(credential)]
        await self._put((device.dialect, device.device_id), act, *steps)

    async def add_device(self, device: Device, credential: Credential | None, act: Act | None) -> bool:
        steps = [Step("add_device", rows.device_values(device), must_touch=1)]
        if credential is not None:
            steps += self._add_credential(credential)
        return await self._change((device.dialect, device.device_id), act, *steps)

    async def move_device(self, device: Device, credential: Credential | None, act: Act) -> bool:
        steps = [Step("move_device", rows.device_values(device), must_touch=1)]
        if credential is not None:
            steps.append(self._move_credential(credential))
        return await self._change((device.dialect, device.device_id), act, *steps)

    async def device(self, dialect: str, device_id: str) -> Device | None:
        return await self._one("device", {"dialect": dialect, "device_id": device_id}, rows.device_of)

    async def devices(self, merchant_id: str = "") -> Sequence[Device]:
        if merchant_id:
            return await self._all("devices_of", {"merchant_id": merchant_id}, rows.device_of)
        return await self._all("devices", {}, rows.device_of)

    # One-time codes

    async def put_code(
        self,
        code: OneTimeCode,
        act: Act | None = None,
        *,
        not_since_ms: int | None = None,
        device: Device | None = None,
    ) -> bool:
        values = rows.code_values(code)
        steps = [Step("put_code", values | {"not_since_ms": not_since_ms}, must_touch=1)]
        if device is not None:
            steps.append(Step("move_device", rows.device_values(device), must_touch=1))
        return await self._change((code.purpose, code.holder), act, *steps, witness=Step("code_as_put", values))

    async def use_code(self, purpose: str, digest: str, now_ms: int, holder: str) -> bool:
        values: Values = {"purpose": purpose, "digest": digest, "now_ms": now_ms, "holder": holder}
        values["used_by"] = secrets.token_hex(_USE_BYTES)
        witness = Step("code_used_by", values)
        write = Write(Lane.OTHER, (purpose, holder), (Step("try_code", values, must_touch=1),), witness)
        outcome = await self._engine.write(write)
        if outcome.missed is not None:
            return False
        # No rows came with the news that a first try, whose confirmation was lost, had used it.
        found = outcome.rows or await self._engine.read(witness.name, values)
        return bool(found) and found[0][0] == holder

    async def code_holder(self, purpose: str, digest: str, now_ms: int) -> str | None:
        values: Values = {"purpose": purpose, "digest": digest, "now_ms": now_ms}
        return await self._one("code_holder", values, lambda row: str(row[0]))

    async def activate_device(self, device: Device, purpose: str, digest: str, act: Act) -> bool:
        code: Values = {"purpose": purpose, "digest": digest, "now_ms": act.at_ms, "used_by": act.act_id}
        return await self._change(
            (device.dialect, device.device_id),
            act,
            Step("use_code", code, must_touch=1),
            Step("move_device", rows.device_values(device), must_touch=1),
        )

    # Who was here, and what was done

    async def saw(self, sighting: Sighting) -> None:
        await self._put((sighting.dialect, sighting.login), None, Step("saw", rows.sighting_values(sighting)))

    async def sightings(self) -> Sequence[Sighting]:
        return await self._all("sightings", {}, rows.sighting_of)

    async def seen_at(self, peer: str, since_ms: int) -> Sequence[Sighting]:
        return await self._all("seen_at", {"peer": peer, "since_ms": since_ms}, rows.sighting_of)

    async def acts(self, limit: int, merchant_id: str = "") -> Sequence[Act]:
        if merchant_id:
            return await self._all("acts_of", {"most": limit, "merchant_id": merchant_id}, rows.act_of)
        return await self._all("acts", {"most": limit}, rows.act_of)

    async def _put(self, key: tuple[str, ...], act: Act | None, *steps: Step) -> None:
        """A write without a guard of its own."""
        made = await self._change(key, act, *steps)
        assert made, f"{steps[0].name} of {key} was not written"

    async def _change(self, key: tuple[str, ...], act: Act | None, *steps: Step, witness: Step | None = None) -> bool:
        """A write and the act that tells of it; False if a guard said no or a unique key is held by another."""
        if act is not None:
            values = rows.act_values(act)
            steps = (*steps, Step("add_act", values, must_touch=1))
            witness = witness or Step("act_as_added", values)
        outcome = await self._engine.write(Write(Lane.OTHER, key, steps, witness))
        if outcome.missed is None:
            return True
        if act is not None and outcome.missed == len(steps) - 1:
            raise Rejected(f"act {act.act_id} is another's: nothing was written")
        return False

    # Secrets

    def _add_credential(self, credential: Credential) -> Sequence[Step]:
        add = Step("add_credential", self._credential_values(credential), must_touch=1)
        return [add, *_mandate_steps(credential)]

    def _move_credential(self, credential: Credential) -> Step:
        return Step("move_credential", self._credential_values(credential), must_touch=1)

    def _credential_values(self, credential: Credential) -> Values:
        place = (credential.dialect, credential.login)
        previous, password = credential.previous, credential.password
        return {
            "dialect": credential.dialect,
            "login": credential.login,
            "secret": self._sealed(credential.secret, *place),
            "previous": None if previous is None else self._sealed(previous, *place),
            "active": int(credential.active),
            "options": json_text(dict(credential.options)),
            "password": None if password is None else self._sealed(password, *_password_of(*place)),
            "previous_until_ms": credential.previous_until_ms,
            "version": credential.version,
        }

    def _sealed(self, secret: Secret, *owner: str) -> str:
        return base64.b64encode(self._vault.seal(secret, *owner)).decode()

    def _unsealed(self, text: str, *owner: str) -> Secret:
        return self._vault.unseal(base64.b64decode(text), *owner)

    async def _one(self, name: str, values: Mapping[str, object], decode: Callable[[Row], T]) -> T | None:
        found = await self._engine.read(name, values)
        return decode(found[0]) if found else None

    async def _all(self, name: str, values: Mapping[str, object], decode: Callable[[Row], T]) -> Sequence[T]:
        return [decode(row) for row in await self._engine.read(name, values)]


def _add_mandate(dialect: str, login: str, number: str, merchant_id: str) -> Step:
    values: Values = {"dialect": dialect, "login": login, "number": number, "merchant_id": merchant_id}
    return Step("add_mandate", values, must_touch=1)


def _mandate_steps(credential: Credential) -> Sequence[Step]:
    owner: Values = {"dialect": credential.dialect, "login": credential.login}
    return [
        Step("put_mandate", owner | {"number": number, "merchant_id": merchant_id})
        for number, merchant_id in credential.merchants.items()
    ]


def _password_of(dialect: str, login: str) -> tuple[str, ...]:
    """Whose secret a password is: not the key's place, so that neither opens as the other."""
    return dialect, login, "password"
