"""Writes modules of models: bases, mixins, inheritance, backrefs, synonyms, indexes, conventions, constructors."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

NAMES = ("alpha", "beta", "gamma", "delta", "alpha_id", "beta_score", "gama", "items", "owner", "label")
_CONVENTIONS = (None, "ix_%(table_name)s_%(column_0_name)s", "%(column_0_label)s_ix")


@dataclass(frozen=True)
class Program:
    """A module ``models``, and what is asked about it."""

    source: str
    classes: tuple[str, ...]
    keywords: tuple[str, ...]


@st.composite
def _columns(draw: st.DrawFn, indexed: bool) -> list[str]:
    lines = []
    for name in draw(st.lists(st.sampled_from(NAMES[:7]), unique=True, max_size=4)):
        options = ["String"]
        if draw(st.integers(0, 5)) == 0:
            options.insert(0, f'"{name}_stored"')
        if indexed and draw(st.booleans()):
            options.append("index=True")
        style = draw(st.sampled_from(("Column", "mapped_column", "annotated", "deferred")))
        if style == "annotated":
            lines.append(f"{name}: Mapped[str] = mapped_column({', '.join(options)})")
        elif style == "deferred":
            lines.append(f"{name} = deferred(Column({', '.join(options)}))")
        else:
            lines.append(f"{name} = {style}({', '.join(options)})")
    return lines


@st.composite
def _extras(draw: st.DrawFn, index: int) -> list[str]:
    """Members that are no columns."""
    lines: list[str] = []
    kind = draw(st.sampled_from(("none", "synonym", "hybrid", "method", "property", "constant", "declared")))
    name = f"extra{draw(st.integers(0, 2))}"
    if kind == "synonym":
        lines = [f'{name} = synonym("id")']
    elif kind == "hybrid":
        lines = ["@hybrid_property", f"def {name}(self):", "    return self.id"]
    elif kind == "method":
        lines = [f"def {name}(self):", "    return self.id"]
    elif kind == "property":
        lines = ["@property", f"def {name}(self):", "    return 1"]
    elif kind == "constant":
        lines = [f"{name} = {index}"]
    elif kind == "declared":
        lines = ["@declared_attr", f"def {name}(cls):", f'    return Column("{name}_{index}", String)']
    return lines


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """A module that SQLAlchemy may or may not accept."""
    convention = draw(st.sampled_from(_CONVENTIONS))
    metadata = f'MetaData(naming_convention={{"ix": "{convention}"}})' if convention else "MetaData()"
    style = draw(st.sampled_from(("class", "function", "decorated")))
    lines = [
        "from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String",
        "from sqlalchemy.ext.hybrid import hybrid_property",
        "from sqlalchemy.orm import (DeclarativeBase, Mapped, as_declarative, backref, declarative_base,",
        "    declared_attr, deferred, mapped_column, relationship, synonym)",
        "",
        f"metadata_ = {metadata}",
        "",
    ]
    if style == "class":
        lines += ["class Base(DeclarativeBase):", "    metadata = metadata_", ""]
    elif style == "function":
        lines += ["Base = declarative_base(metadata=metadata_)", ""]
    else:
        lines += ["@as_declarative(metadata=metadata_)", "class Base:", "    __allow_unmapped__ = True", ""]
    mixins = draw(st.integers(0, 2))
    for number in range(mixins):
        body = [line for line in draw(_columns(False)) if "deferred" not in line]
        if draw(st.integers(0, 4)) == 0:
            body += ["def __init__(self, given=None):", "    super().__init__()"]
        lines += [f"class Mixin{number}:", *(f"    {line}" for line in body or ["pass"]), ""]
    classes: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        name = f"Model{number}"
        parent = draw(st.sampled_from(("Base", *classes))) if classes else "Base"
        bases = (
            draw(st.lists(st.sampled_from([f"Mixin{m}" for m in range(mixins)]), unique=True))
            if mixins
            else []
        )
        body: list[str] = []
        if parent == "Base":
            body += [f'__tablename__ = "table{number}"', "id = Column(Integer, primary_key=True)"]
            body += draw(_columns(True))
            if draw(st.booleans()):
                target = draw(st.sampled_from(("alpha", "id")))
                written = draw(st.sampled_from((f'"ix_table{number}_{target}"', f'"ix_{number}"', "None")))
                body.append(f'__table_args__ = (Index({written}, "{target}"),)')
        else:
            body += [line for line in draw(_columns(False)) if "_stored" not in line]
            if draw(st.booleans()):
                body += [
                    f'__tablename__ = "table{number}"',
                    f"id = Column(ForeignKey({parent}.id), primary_key=True)",
                ]
        body += draw(_extras(number))
        if classes and draw(st.booleans()):
            target = draw(st.sampled_from(classes))
            back = draw(st.sampled_from(NAMES[6:]))
            written = f'"{back}"' if draw(st.booleans()) else f'backref("{back}")'
            body += [f"link{number} = Column(ForeignKey({target}.id))"]
            body += [
                f'rel{number} = relationship("{target}", foreign_keys="{name}.link{number}", backref={written})'
            ]
        lines += [
            f"class {name}({', '.join((*bases, parent))}):",
            *(f"    {line}" for line in body or ["pass"]),
            "",
        ]
        classes.append(name)
    if draw(st.integers(0, 3)) == 0:
        lines += [f"{classes[0]}.late = Column(String)", ""]
    asked = draw(
        st.lists(
            st.sampled_from(
                (*NAMES, "extra0", "extra1", "extra2", "late", "given", "alpha_stored", "rel1", "link1")
            ),
            unique=True,
            min_size=3,
            max_size=8,
        )
    )
    return Program("\n".join(lines), tuple(classes), tuple(asked))
