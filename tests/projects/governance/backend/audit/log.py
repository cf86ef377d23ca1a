"""Turning what happened into lines of the audit trail."""

from typing import Any

REDACTED = "***"
SECRET_KEYS = frozenset({"password", "token", "secret", "api_key"})


def redact(details: dict[str, Any]) -> dict[str, Any]:
    """A copy without secrets, at any depth."""
    clean: dict[str, Any] = {}
    for key, value in details.items():
        if key.lower() in SECRET_KEYS:
            clean[key] = REDACTED
        elif isinstance(value, dict):
            clean[key] = redact(value)
        else:
            clean[key] = value
    return clean


def open_trail(subject: str) -> Any:
    """A trail for a subject; the models are loaded when the first one is needed."""
    from audit.models import AuditTrail

    return AuditTrail(subject=subject)
