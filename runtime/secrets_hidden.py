"""Addresses for messages: without what only their owner may know."""

import re

# greedy: an @ inside a password must not end it too early; better a part of the host is hidden than one of the secret
_USER = re.compile(r"(?<=://)\S*@")
_KEY = re.compile(r"(?<=[?&])(\w*(?:pass|token|secret|key)\w*=)[^&#]*", re.IGNORECASE)


def without_secrets(address: str) -> str:
    """Return an address without user, password, and what its options hold of passphrases, tokens and keys."""
    return _KEY.sub(r"\1...", _USER.sub("", address))
