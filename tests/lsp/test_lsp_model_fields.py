"""Completion of a model's fields, and the hover on one, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from lsp_client import Client
from lsprotocol import types

Make = Callable[[Mapping[str, str]], Path]

MODELS = """\
import factory
from sqlalchemy import ForeignKey, String
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    nick: Mapped[str | None]
    size: Mapped[int] = mapped_column(default=0)
    orders: Mapped[list["Order"]] = relationship(back_populates="user")


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship(back_populates="orders")


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user = relationship(User, backref="tags", viewonly=True)


class UserFactory(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        model = User


class OrderFactory(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        model = Order

    class Params:
        big = factory.Trait(user__size=3)
        prefix = "é"

    user = factory.SubFactory(UserFactory)

    @factory.post_generation
    def paid(obj, create, extracted):
        return extracted


class TagFactory(SQLAlchemyFactory[Tag]):
    pass
"""
USER = ["id=", "name=", "nick=", "size=", "orders=", "tags="]
KEYS = [label.rstrip("=") for label in USER]
ORDER = ["id=", "user_id=", "user=", "big=", "prefix=", "paid="]
HEAD = (
    "from models import Order, OrderFactory, TagFactory, User, UserFactory\n"
    "from sqlalchemy import insert, select, update\n\n\n"
)


@pytest.fixture
def capable() -> types.ClientCapabilities:
    return types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            completion=types.CompletionClientCapabilities(),
            hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown]),
        )
    )


def _at(line: str, row: int) -> types.Position:
    """Where the ``|`` stands, in UTF-16."""
    return types.Position(row, len(line.partition("|")[0].encode("utf-16-le")) // 2)


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("User(|)", USER),
        ("'\U0001f600'; User(na|)", USER),
        ('User(name="a", |)', [label for label in USER if label != "name="]),
        ('User(name="a", ni|', [label for label in USER if label != "name="]),
        ('User(| name="a")', [label for label in USER if label != "name="]),
        ("UserFactory(|)", USER),
        ("UserFactory.build(si|)", USER),
        ("select(User).filter_by(|)", USER),
        ("insert(Order).values(|)", ["id=", "user_id="]),
        ("update(Order).values(u|)", ["id=", "user_id="]),
        ("OrderFactory(|)", [*ORDER, *(f"user__{label}" for label in USER)]),
        (
            "OrderFactory(big=True, user__na|)",
            [*ORDER[:3], *ORDER[4:], *(f"user__{label}" for label in USER)],
        ),
        ("TagFactory.create_sync(|)", ["id=", "user_id=", "user="]),
        ('insert(Order).values({"|"})', ["id", "user_id"]),
        ('insert(Order).values({"id": 1, "us|"})', ["user_id"]),
        ('insert(Order).values({"|": 1})', ["id", "user_id"]),
        ("'\U0001f600'; insert(Order).values([{'us|'}])", ["id", "user_id"]),
        ('insert(Order).values({"us|', ["id", "user_id"]),
        ('insert(Order).values({"id": 1, "us|', ["user_id"]),
        ('session.execute(insert(Order), [{"|"}])', ["id", "user_id"]),
        ('User(**{"|"})', KEYS),
        ('User(id=1, **{"na|"})', KEYS[1:]),
        ('select(User).filter_by(**{"|": 1})', KEYS),
        (
            'OrderFactory(**{"user__si|": 1})',
            [x.rstrip("=") for x in ORDER] + [f"user__{key}" for key in KEYS],
        ),
        ('insert(Order).values({"id": "|"})', []),
        ('print({"|"})', []),
        ('User("|")', []),
        ("User(name=|)", []),
        ("print(|)", []),
        ("User.|", []),
    ],
)
async def test_completion(
    client: Client, project: Make, capable: types.ClientCapabilities, line: str, labels: list[str]
) -> None:
    root = project({"models.py": MODELS, "app.py": ""})
    await client.begin(capable, root)
    text = f"{HEAD}{line.replace('|', '')}\n\n\ndef after():\n    return 1\n"
    uri = client.open(root / "app.py", text)
    position = _at(line, 4)
    found = await client.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(uri), position)
    )
    items = list(found or [])
    assert [item.label for item in items] == labels  # type: ignore[union-attr]
    if labels:
        edit = items[0].text_edit  # type: ignore[union-attr]
        assert isinstance(edit, types.TextEdit)
        assert edit.range.end == position


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "User(na|me=1)",
            "**User.name**: `column, String(40), NOT NULL, no default`, declared in models.py:15",
        ),
        (
            "'\U0001f600'; User(si|ze=1)",
            "**User.size**: `column, int, NOT NULL, default=0`, declared in models.py:17",
        ),
        ("select(User).filter_by(nick|=1)", "**User.nick**: `column, str | None, nullable, no default`"),
        ("UserFactory(ord|ers=[])", "**User.orders**: `relationship to Order`"),
        ('User(**{"ni|ck": 1})', "**User.nick**: `column, str | None, nullable, no default`"),
        ("update(User).values({'si|ze': 1})", "**User.size**: `column, int, NOT NULL, default=0`"),
        ("User(ta|gs=[])", "**User.tags**: `backref of Tag.user`, declared in models.py:34"),
        (
            "OrderFactory(user__na|me=1)",
            "**OrderFactory.user__name**: `column, String(40), NOT NULL, no default`",
        ),
        ("OrderFactory(bi|g=True)", "**OrderFactory.big**: `trait`"),
        ("User(nothing|=1)", None),
        ("print(se|p=1)", None),
    ],
)
async def test_hover(
    client: Client, project: Make, capable: types.ClientCapabilities, line: str, shown: str | None
) -> None:
    root = project({"models.py": MODELS, "app.py": ""})
    await client.begin(capable, root)
    uri = client.open(root / "app.py", f"{HEAD}{line.replace('|', '', 1)}\n")
    found = await client.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(uri), _at(line, 4))
    )
    texts = (
        found.contents.value if found is not None and isinstance(found.contents, types.MarkupContent) else ""
    )
    if shown is None:
        assert "declared in" not in texts
        assert "**User." not in texts
    else:
        assert shown in texts
        assert found is not None
        assert found.range is not None
        assert found.range.start.line == 4
