"""The audit trail."""

import pytest

from audit.log import REDACTED, open_trail, redact


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"token": "abc"}, {"token": REDACTED}),
        ({"user": "ada", "Password": "x"}, {"user": "ada", "Password": REDACTED}),
        ({"request": {"api_key": "k", "path": "/"}}, {"request": {"api_key": REDACTED, "path": "/"}}),
    ],
)
def test_secrets_are_redacted(details, expected):
    assert redact(details) == expected


def test_the_original_is_not_touched():
    details = {"secret": "s"}
    redact(details)
    assert details == {"secret": "s"}


def test_a_trail_has_a_subject():
    trail = open_trail("agent-1")
    assert trail.subject == "agent-1"
