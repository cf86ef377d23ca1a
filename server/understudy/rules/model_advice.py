"""What to say about a name that a model has not."""

from __future__ import annotations

from understudy.facts.model import CallTerm, Ref, Term
from understudy.orm.models import Model


def advice_for(model: Model, near: str | None) -> str:
    """What to say about a name that the model has not: the near one, or its JSON column."""
    if near is not None:
        return f"did you mean `{near}`?"
    json = [
        column.name
        for column in model.columns
        if column.call is not None
        and any(_is_json(term) for term in (*column.call.args, column.annotation) if term is not None)
    ]
    if len(json) == 1:
        return f"the model has no such field; does it belong into the JSON column `{json[0]}`?"
    return "the model has no such field"


def _is_json(term: Term) -> bool:
    if isinstance(term, CallTerm):
        term = term.func
    return isinstance(term, Ref) and term.parts[-1] in ("JSON", "JSONB")
