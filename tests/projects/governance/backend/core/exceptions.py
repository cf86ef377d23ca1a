"""Errors that services raise and the API translates."""


class GovernanceError(Exception):
    """The base of everything this application raises on purpose."""


class NotFoundError(GovernanceError):
    """An entity does not exist."""

    def __init__(self, entity: str, key: object) -> None:
        super().__init__(f"{entity} {key!r} does not exist")
        self.entity = entity
        self.key = key


class StateError(GovernanceError):
    """An operation is not allowed in the present state."""


class PermissionDenied(GovernanceError):
    """A user or an agent may not do this."""


class StorageError(GovernanceError):
    """The database could not be reached, or refused."""


class QuotaExceeded(GovernanceError):
    """A workspace has used up what its plan allows."""

    def __init__(self, metric: str, limit: int) -> None:
        super().__init__(f"the quota of {limit} for {metric} is used up")
        self.metric = metric
        self.limit = limit
