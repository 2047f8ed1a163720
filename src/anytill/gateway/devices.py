"""Devices and keys: how each till comes by the key that it signs with, and how keys are changed without a till falling
silent.

A key that we issue is told once, to whoever asked for it; a code that fetches one works once. Keys are changed with an
overlap. Codes can be tried a few times only, and a wrong guess looks like an unknown name. Everything done here is
written down with it, by whom (`changes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anytill.core import retry
from anytill.core.device import Act, Device, OneTimeCode
from anytill.core.merchant import Credential, KeyShape
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.gateway.changes import Acts, AlreadyThere, ChangedMeanwhile, NotThere
from anytill.gateway.codes import DIGITS, code_digest
from anytill.gateway.tries import Tries
from anytill.ports import Chance, Clock, Register

ACTIVATION: Final = "activation"
ACTIVATION_DIGITS: Final = 14
ACTIVATION_LIFE_MS: Final = 15 * retry.MINUTE
KEY_OVERLAP_MS: Final = retry.DAY
_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class Issued:
    """A device and the credential it signs with."""

    device: Device
    credential: Credential


def device_holder(dialect: str, device_id: str) -> str:
    """A device as the holder of a one-time code."""
    return f"{dialect}/{device_id}"


class Devices:
    """Over the register of who is who."""

    def __init__(self, register: Register, clock: Clock, chance: Chance, code_key: bytes) -> None:
        self._register = register
        self._clock = clock
        self._chance = chance
        self._code_key = code_key
        self._acts = Acts(clock, chance)
        self._bad_codes = Tries(5, 10 * retry.MINUTE)
        self._unsigned = Tries(20, 10 * retry.MINUTE)

    async def device(self, dialect: str, device_id: str) -> Device:
        """One device. Raises NotThere."""
        device = await self._register.device(dialect, device_id)
        if device is None:
            raise NotThere(f"there is no device {device_id} of {dialect}")
        return device

    async def add_device(
        self,
        device: Device,
        key: KeyShape | None,
        actor: str,
        *,
        password: Secret | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Issued | None:
        """A new device; with a key of its own where `key` says what that looks like. Raises AlreadyThere, NotThere."""
        if await self._register.merchant(device.merchant_id) is None:
            raise NotThere(f"there is no merchant {device.merchant_id}")
        device = changed(device, enrolled_at_ms=self._clock.now_ms())
        credential = None
        if key is not None:
            credential = Credential(
                dialect=device.dialect,
                login=device.device_id,
                secret=self.new_key(key),
                merchants={"": device.merchant_id},
                password=password,
                options=options or {},
            )
        act = self._about_device(device, "device.add", actor)
        taken = await self._register.credential(device.dialect, device.device_id) is not None
        if taken or not await self._register.add_device(device, credential, act):
            raise AlreadyThere(f"there is a device or a login {device.device_id} of {device.dialect} already")
        return Issued(device, credential) if credential else None

    async def put_device(self, device: Device, actor: str, what: str, **about: str) -> bool:
        """Write a device that has no key of its own, such as a pay box that an agent's key speaks for, in place of the
        one that was read, or a new one. False when somebody else wrote it meanwhile."""
        act = self._about_device(device, what, actor, **about)
        if device.version == 0:
            return await self._register.add_device(device, None, act)
        return await self._register.move_device(device, None, act)

    async def switch_device(self, device: Device, *, on: bool, actor: str) -> None:
        """Switch a device, and its key if it has one, on or off. Raises NotThere, ChangedMeanwhile."""
        device = await self.device(device.dialect, device.device_id)
        credential = await self._register.credential(device.dialect, device.device_id)
        await self._switch(device, credential if credential and credential.is_devices else None, on, actor)

    async def _switch(self, device: Device, credential: Credential | None, on: bool, actor: str) -> None:
        """Both or neither: a device that is told to be off takes no money."""
        switched = changed(credential, active=on) if credential else None
        act = self._about_device(device, "device.on" if on else "device.off", actor)
        if not await self._register.move_device(changed(device, active=on), switched, act):
            raise ChangedMeanwhile(f"device {device.device_id} of {device.dialect}")

    async def new_code(
        self, device: Device, key: KeyShape, actor: str, life_ms: int | None = ACTIVATION_LIFE_MS
    ) -> str:
        """A code with which the device can fetch its key, once; voids the one before. A device that has fetched a key
        already will get a new one, and the old one counts for `KEY_OVERLAP_MS` more. Raises NotThere,
        ChangedMeanwhile."""
        device = await self.device(device.dialect, device.device_id)
        if device.activated_at_ms is not None:
            device = await self._renewed_key(device, key, actor)
        code = self._chance.token(ACTIVATION_DIGITS, DIGITS)
        now_ms = self._clock.now_ms()
        kept = OneTimeCode(
            ACTIVATION,
            device_holder(device.dialect, device.device_id),
            code_digest(self._code_key, ACTIVATION, device.dialect, code),
            now_ms,
            None if life_ms is None else now_ms + life_ms,
        )
        # With the device as it was looked at: whoever fetches its key meanwhile must not share it with this code.
        if not await self._register.put_code(kept, self._about_device(device, "device.code", actor), device=device):
            raise ChangedMeanwhile(f"device {device.device_id} of {device.dialect}")
        return code

    async def _renewed_key(self, device: Device, key: KeyShape, actor: str) -> Device:
        """A new key that nobody has fetched yet; written with the key, so that a second code does not push out the key
        that the device still has."""
        credential = await self.credential(device.dialect, device.device_id)
        new, act = self._rotated(credential, self.new_key(key), KEY_OVERLAP_MS, actor)
        device = changed(device, activated_at_ms=None)
        if not await self._register.move_device(device, new, act):
            raise ChangedMeanwhile(f"device {device.device_id} of {device.dialect}")
        return changed(device, version=device.version + 1)

    async def activate(self, dialect: str, code: str, peer: str) -> Issued | None:
        """The device that this code belongs to and its key; None for a code that is unknown, used or out of date, and
        after five such from one address in ten minutes. The code is used up with the device's activation, or not at
        all."""
        now_ms = self._clock.now_ms()
        if not self._bad_codes.spend(peer, now_ms):
            return None
        digest = code_digest(self._code_key, ACTIVATION, dialect, code)
        issued = None
        for _ in range(_ROUNDS):
            holder = await self._register.code_holder(ACTIVATION, digest, now_ms)
            if holder is None:
                return None
            device = await self._register.device(dialect, holder.removeprefix(device_holder(dialect, "")))
            credential = await self._register.credential(dialect, device.device_id) if device else None
            if device is None or credential is None or not (device.active and credential.active):
                break
            device = changed(device, activated_at_ms=now_ms)
            act = self._about_device(device, "device.activate", f"{dialect}:{device.device_id}", address=peer)
            if await self._register.activate_device(device, ACTIVATION, digest, act):
                issued = Issued(device, credential)
                break
        self._bad_codes.give_back(peer)
        return issued

    async def logins_seen_at(self, dialect: str, peer: str, within_ms: int, most: int) -> list[Credential]:
        """The credentials of a dialect that were last used from this address and are on; at most so many. For what an
        address may ask without a signature: it can be asked twenty times in ten minutes, then nobody was seen there.
        What was no guess is given back with `found_at`."""
        now_ms = self._clock.now_ms()
        if not self._unsigned.spend(f"{dialect}/{peer}", now_ms):
            return []
        sightings = await self._register.seen_at(peer, now_ms - within_ms)
        logins = [sighting.login for sighting in sightings if sighting.dialect == dialect][:most]
        found = [await self._register.credential(dialect, login) for login in logins]
        return [credential for credential in found if credential is not None and credential.active]

    def found_at(self, dialect: str, peer: str) -> None:
        """What this address asked for without a signature is there, and its own."""
        self._unsigned.give_back(f"{dialect}/{peer}")

    def _about_device(self, device: Device, what: str, actor: str, **about: str) -> Act:
        return self._acts.act(actor, what, device.device_id, device.merchant_id, dialect=device.dialect, **about)

    # Keys

    async def add_key(self, credential: Credential, actor: str) -> None:
        """A login's first key. Raises AlreadyThere."""
        act = self._about_key(credential, "key.add", actor)
        if not await self._register.add_credential(credential, act):
            raise AlreadyThere(f"there is a login {credential.login} of {credential.dialect} already")

    async def rotate(
        self,
        dialect: str,
        login: str,
        key: KeyShape,
        actor: str,
        overlap_ms: int = KEY_OVERLAP_MS,
        *,
        secret: Secret | None = None,
    ) -> Credential:
        """A new key for a login, made here unless `secret` is given; the one before counts for `overlap_ms` more.
        Raises NotThere, ChangedMeanwhile.

        `previous_until_ms` stays on the credential, and says that its key was changed by us and not by the settings."""
        credential = await self.credential(dialect, login)
        new, act = self._rotated(credential, secret or self.new_key(key), overlap_ms, actor)
        await self._move_key(new, act)
        return new

    async def end_former_key(self, dialect: str, login: str, actor: str) -> None:
        """A login's former key counts no more. Raises NotThere, ChangedMeanwhile."""
        credential = await self.credential(dialect, login)
        now_ms = self._clock.now_ms()
        if credential.at(now_ms).previous is None:
            raise NotThere(f"{login} of {dialect} has no old key that still counts")
        ended = changed(credential, previous=None, previous_until_ms=now_ms)
        await self._move_key(ended, self._about_key(ended, "key.end", actor))

    async def switch_key(self, dialect: str, login: str, *, on: bool, actor: str) -> None:
        """Accept or refuse a login's keys; a device is switched with its key. Raises NotThere, ChangedMeanwhile."""
        credential = await self.credential(dialect, login)
        device = await self._register.device(dialect, login)
        if device is not None and credential.is_devices:
            await self._switch(device, credential, on, actor)
            return
        switched = changed(credential, active=on)
        await self._move_key(switched, self._about_key(switched, "key.on" if on else "key.off", actor))

    async def credential(self, dialect: str, login: str) -> Credential:
        """A login and its key, whatever its state. Raises NotThere."""
        credential = await self._register.credential(dialect, login)
        if credential is None:
            raise NotThere(f"there is no login {login} of {dialect}")
        return credential

    async def _move_key(self, credential: Credential, act: Act) -> None:
        if not await self._register.move_credential(credential, act):
            raise ChangedMeanwhile(f"key {credential.login} of {credential.dialect}")

    def _rotated(self, credential: Credential, secret: Secret, overlap_ms: int, actor: str) -> tuple[Credential, Act]:
        until_ms = self._clock.now_ms() + overlap_ms
        new = changed(
            credential,
            secret=secret,
            previous=credential.secret if overlap_ms else None,
            previous_until_ms=until_ms,
        )
        return new, self._about_key(new, "key.rotate", actor, previous_until_ms=str(until_ms))

    def _about_key(self, credential: Credential, what: str, actor: str, **about: str) -> Act:
        dialect = credential.dialect
        return self._acts.act(actor, what, credential.login, credential.only_merchant_id, dialect=dialect, **about)

    async def new_login(self, dialect: str, shape: KeyShape) -> str:
        """A login of this shape that no credential and no device has."""
        while True:
            login = self._chance.token(shape.length, shape.alphabet)
            taken = await self._register.credential(dialect, login) or await self._register.device(dialect, login)
            if taken is None:
                return login

    def new_key(self, key: KeyShape) -> Secret:
        """A key of this shape that nobody can guess."""
        return Secret(self._chance.token(key.length, key.alphabet))
