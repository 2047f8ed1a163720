"""The back office: merchants, their people, devices and keys, and how each comes to be who it says it is.

Everything done here is written down with it, by whom (`Act`). A key that we issue is told once, to whoever asked for
it; a code that fetches one works once. Keys are changed with an overlap, so that no till stops selling meanwhile. What
could be guessed at (codes, passwords) can be tried a few times only, and a wrong guess looks like an unknown name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anytill.core import retry
from anytill.core.device import Act, Device, OneTimeCode
from anytill.core.ids import beijing_text
from anytill.core.merchant import Credential, KeyShape, Merchant
from anytill.core.passwords import password_hash
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.gateway.codes import DIGITS, Passcodes, code_digest
from anytill.gateway.enrolment import Enrolment
from anytill.gateway.passwords import Passwords, at_once
from anytill.gateway.tries import Tries
from anytill.ports import Aside, Chance, Clock, Register

ACTIVATION: Final = "activation"
ACTIVATION_DIGITS: Final = 14
ACTIVATION_LIFE_MS: Final = 15 * retry.MINUTE
KEY_OVERLAP_MS: Final = retry.DAY
_ROUNDS: Final = 20


class NotThere(LookupError):
    """What was named does not exist."""


class AlreadyThere(ValueError):
    """A number or name is taken."""


class ChangedMeanwhile(RuntimeError):
    """Somebody else changed it between our look and our write. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A device and the credential it signs with."""

    device: Device
    credential: Credential


def device_holder(dialect: str, device_id: str) -> str:
    """A device as the holder of a one-time code."""
    return f"{dialect}/{device_id}"


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
        self._clock = clock
        self._chance = chance
        self._code_key = code_key
        self._passcodes = passcodes
        self._bad_codes = Tries(5, 10 * retry.MINUTE)
        self._passwords = Passwords(clock, chance, aside)
        self._enrolment = Enrolment(register, clock, chance, code_key, self.act)
        self._unsigned = Tries(20, 10 * retry.MINUTE)

    def act(self, actor: str, what: str, subject: str, merchant_id: str = "", **about: str) -> Act:
        """A line for the record of what was done, as of now."""
        now_ms = self._clock.now_ms()
        act_id = f"{beijing_text(now_ms)}{now_ms % 1_000:03d}{self._chance.token(8)}"
        return Act(act_id, now_ms, actor, what, subject, merchant_id, about)

    # Merchants

    async def merchant(self, merchant_id: str) -> Merchant:
        """One merchant, whatever its state. Raises NotThere."""
        merchant = await self._register.merchant(merchant_id)
        if merchant is None:
            raise NotThere(f"there is no merchant {merchant_id}")
        return merchant

    async def add_merchant(self, merchant: Merchant, actor: str) -> None:
        """A new merchant. Raises AlreadyThere."""
        act = self.act(actor, "merchant.add", merchant.merchant_id, merchant.merchant_id, name=merchant.name)
        if not await self._register.add_merchant(merchant, act):
            raise AlreadyThere(
                f"there is a merchant {merchant.merchant_id} already, or one with its mobile or username"
            )

    async def change_merchant(self, before: Merchant, after: Merchant, actor: str, what: str, **about: str) -> bool:
        """Replace a merchant; False when it was changed meanwhile, or its mobile or user name is taken."""
        act = self.act(actor, what, before.merchant_id, before.merchant_id, **about)
        return await self._register.move_merchant(before, after, act)

    async def enrol(self, credential: Credential, merchant: Merchant, actor: str, words: str = "") -> str | None:
        """A new merchant of an agent, under a new number of eight digits; the id that `merchant` brings is not used.
        None when the agent has its mobile or user name already, or `words`, all that it said, are those of `enrolled`.
        """
        return await self._enrolment.enrol(credential, merchant, actor, words)

    async def enrolled(self, credential: Credential, words: str) -> Merchant | None:
        """The merchant that an agent brought in with these words: at any time if they name a person, else within a
        day."""
        return await self._enrolment.enrolled(credential, words)

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

    # One-time codes for people

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

    # Devices

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
        await self.merchant(device.merchant_id)
        device = changed(device, enrolled_at_ms=self._clock.now_ms())
        credential = None
        if key is not None:
            credential = Credential(
                dialect=device.dialect,
                login=device.device_id,
                secret=self._new_key(key),
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
            raise _changed_meanwhile("device", device.dialect, device.device_id)

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
            raise _changed_meanwhile("device", device.dialect, device.device_id)
        return code

    async def _renewed_key(self, device: Device, key: KeyShape, actor: str) -> Device:
        """A new key that nobody has fetched yet; written with the key, so that a second code does not push out the key
        that the device still has."""
        credential = await self._credential(device.dialect, device.device_id)
        new, act = self._rotated(credential, self._new_key(key), KEY_OVERLAP_MS, actor)
        device = changed(device, activated_at_ms=None)
        if not await self._register.move_device(device, new, act):
            raise _changed_meanwhile("device", device.dialect, device.device_id)
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
        return self.act(actor, what, device.device_id, device.merchant_id, dialect=device.dialect, **about)

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
        credential = await self._credential(dialect, login)
        new, act = self._rotated(credential, secret or self._new_key(key), overlap_ms, actor)
        await self._move_key(new, act)
        return new

    async def end_former_key(self, dialect: str, login: str, actor: str) -> None:
        """A login's former key counts no more. Raises NotThere, ChangedMeanwhile."""
        credential = await self._credential(dialect, login)
        now_ms = self._clock.now_ms()
        if credential.at(now_ms).previous is None:
            raise NotThere(f"{login} of {dialect} has no old key that still counts")
        ended = changed(credential, previous=None, previous_until_ms=now_ms)
        await self._move_key(ended, self._about_key(ended, "key.end", actor))

    async def switch_key(self, dialect: str, login: str, *, on: bool, actor: str) -> None:
        """Accept or refuse a login's keys; a device is switched with its key. Raises NotThere, ChangedMeanwhile."""
        credential = await self._credential(dialect, login)
        device = await self._register.device(dialect, login)
        if device is not None and credential.is_devices:
            await self._switch(device, credential, on, actor)
            return
        switched = changed(credential, active=on)
        await self._move_key(switched, self._about_key(switched, "key.on" if on else "key.off", actor))

    async def _credential(self, dialect: str, login: str) -> Credential:
        credential = await self._register.credential(dialect, login)
        if credential is None:
            raise NotThere(f"there is no login {login} of {dialect}")
        return credential

    async def _move_key(self, credential: Credential, act: Act) -> None:
        if not await self._register.move_credential(credential, act):
            raise _changed_meanwhile("key", credential.dialect, credential.login)

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
        return self.act(actor, what, credential.login, credential.only_merchant_id, dialect=dialect, **about)

    def _new_key(self, key: KeyShape) -> Secret:
        return Secret(self._chance.token(key.length, key.alphabet))


def _changed_meanwhile(kind: str, dialect: str, number: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        f"{kind} {number} of {dialect} was changed by somebody else at this moment: look, and try again"
    )
