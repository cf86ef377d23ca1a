"""What Understudy says about a generated module, and what SQLAlchemy does with it."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

from understudy.index.workspace import Workspace
from understudy.infer.entities import ClassEntity
from understudy.orm import attributes
from understudy.orm.indexes import duplicates
from understudy.orm.models import Models
from understudy.project import environment

from fuzz_orm.programs import Program


def real(program: Program) -> types.ModuleType | None:
    """The module, executed; None when SQLAlchemy refuses it."""
    from sqlalchemy.orm import clear_mappers

    clear_mappers()
    module = types.ModuleType("models")
    sys.modules["models"] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(program.source, "models.py", "exec"), module.__dict__)
            module.Base.registry.configure()
        except Exception:
            return None
    return module


def read(program: Program, folder: Path) -> Models:
    """The models as Understudy reads them."""
    path = folder / "models.py"
    path.write_text(program.source, "utf-8")
    workspace = Workspace(folder, environment.own(), (), lambda: [path])
    return Models(workspace)


def disagreements(program: Program, folder: Path) -> Iterator[str]:
    """Each question that the two answer differently; what Understudy does not know is no disagreement."""
    module = real(program)
    if module is None:
        return
    models = read(program, folder)
    for name in program.classes:
        entity = models.resolver.name(models.workspace.module(folder / "models.py"), name)
        found = models.mapped(entity) if isinstance(entity, ClassEntity) else None
        cls = getattr(module, name)
        if found is None:
            yield f"{name} is not read as a model"
            continue
        for keyword in program.keywords:
            said = attributes.has(models, found, keyword)
            if said is not None and said is not hasattr(cls, keyword):
                yield f"{name}.{keyword}: {said}, really {hasattr(cls, keyword)}"
            said = attributes.accepts(models, found, keyword)
            if said is not None and said is not _takes(cls, keyword):
                yield f"{name}({keyword}=…): {said}, really {_takes(cls, keyword)}"
            said = attributes.stores(models, found, keyword)
            columns = set(cls.__table__.c.keys()) | {c.key for c in cls.__mapper__.columns}
            if said is False and (keyword in columns or hasattr(cls, keyword)):
                yield f"{name}.values({keyword}=…): said to be missing"
    if duplicates(models) and not _index_clash(module):
        yield "duplicate indexes are announced, and create_all() accepts them"


def _takes(cls: type, keyword: str) -> bool:
    try:
        cls(**{keyword: None})
    except TypeError as error:
        return "keyword argument" not in str(error)
    except Exception:
        # The name was taken; the value was not.
        return True
    return True


def _index_clash(module: types.ModuleType) -> bool:
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://")
    try:
        module.Base.metadata.create_all(engine)
    except Exception:
        return True
    finally:
        engine.dispose()
    return False
