"""The client of the language model."""

from typing import Any


class LLMUnavailable(RuntimeError):
    """The model could not be reached."""


class LLMClient:
    """A thin client; the transport is set up on first use."""

    def __init__(self, model: str = "governor-small") -> None:
        self.model = model

    async def complete(self, prompt: str, **options: Any) -> str:
        """The model's answer to a prompt."""
        raise LLMUnavailable(f"no transport is configured for {self.model}")


def get_llm_client(model: str = "governor-small") -> LLMClient:
    """A client for a model."""
    return LLMClient(model)
