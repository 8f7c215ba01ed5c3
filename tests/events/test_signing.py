"""Signatures are those of Standard Webhooks, judged by its reference library; secrets are kept encrypted."""

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.core.config import Settings
from app.core.errors import Refused
from app.events.signing import PREFIX, Keyring, headers, new_secret, sign

BODY = b'{"type":"order.created","data":{}}'
KEY = "first-key-of-this-test-0123456789abcdef"
OTHER = "other-key-of-this-test-0123456789abcdef"


def keyring(*keys: str) -> Keyring:
    return Keyring(Settings(webhook_encryption_keys=keys))


def test_the_reference_library_accepts_what_we_sign() -> None:
    secret = new_secret()
    sent = headers([secret], "evt_1", int(time.time()), BODY)
    assert Webhook(secret).verify(BODY, sent) == {"type": "order.created", "data": {}}
    for changed in (BODY + b" ", BODY.replace(b"created", b"expired")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, sent | {"webhook-id": "evt_2"})


def test_the_reference_library_signs_the_same() -> None:
    secret = new_secret()
    at = 1_700_000_000
    digest = base64.b64decode(sign(secret, "evt_7", at, BODY).removeprefix("v1,"))
    assert len(digest) == 32
    assert sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    ) == ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), (
        "the vector that every library of the standard is tested with"
    )


def test_while_a_secret_is_changed_both_fit() -> None:
    old, new = new_secret(), new_secret()
    sent = headers([new, old], "evt_1", int(time.time()), BODY)
    assert Webhook(old).verify(BODY, sent) == Webhook(new).verify(BODY, sent)
    assert sent["webhook-signature"].count("v1,") == 2


def test_secrets_are_of_the_standard() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith(PREFIX)
    assert 24 <= len(base64.b64decode(first.removeprefix(PREFIX))) <= 64


def test_kept_secrets_say_nothing_and_come_back() -> None:
    secret = new_secret()
    kept = keyring(KEY).encrypt(secret)
    assert secret not in kept
    assert secret.removeprefix(PREFIX) not in kept
    assert keyring(KEY).decrypt(kept) == secret
    assert keyring(KEY).encrypt(secret) != kept, "two of the same do not look the same"


def test_a_key_is_changed_by_putting_the_new_one_first() -> None:
    kept = keyring(KEY).encrypt("whsec_one")
    assert keyring(OTHER, KEY).decrypt(kept) == "whsec_one"
    assert keyring(OTHER).decrypt(keyring(OTHER, KEY).encrypt("whsec_two")) == "whsec_two"
    with pytest.raises(Refused) as refused:
        keyring(OTHER).decrypt(kept)
    assert refused.value.refusal.code == "webhooks_unavailable"


def test_without_a_key_there_are_no_webhooks(tmp_path: object) -> None:
    empty = Keyring(Settings(webhook_encryption_keys=(), data_dir=str(tmp_path)))
    assert not empty.usable
    with pytest.raises(Refused) as refused:
        empty.encrypt("whsec_one")
    assert refused.value.refusal.code == "webhooks_unavailable"


def test_short_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Settings(webhook_encryption_keys=("short",))
