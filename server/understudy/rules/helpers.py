"""What functions do that tests import to help them."""

from __future__ import annotations

from collections.abc import Iterator

from understudy.facts import model
from understudy.index.module import Module
from understudy.infer.assigned import is_name_of_class
from understudy.infer.entities import FunctionEntity, ModuleEntity
from understudy.infer.resolve import set_on
from understudy.rules.base import Context


def set_by_helpers(context: Context, module: Module, *, on_objects: bool = True) -> set[str]:
    """The attributes that functions of the workspace, which a file of tests imports, set on what they are given;
    :data:`model.COMPUTED` for any.

    :param on_objects: on parameters that are objects of a class by their annotations, too.
    """
    return {
        name
        for helper in _helpers(context, module)
        for place, parameter in enumerate(helper.declaration.parameters)
        if on_objects or not _is_object(parameter)
        for name in set_on(helper, place)
    }


def _is_object(parameter: model.Parameter) -> bool:
    annotation = parameter.annotation
    return isinstance(annotation, model.Ref) and is_name_of_class(annotation.parts[-1])


def _helpers(context: Context, module: Module) -> Iterator[FunctionEntity]:
    """The functions that a file imports; of modules, those that set attributes by name."""
    for _, statement in module.imports:
        for name in statement.names:
            imported = context.resolver.imported(module, statement, name)
            if isinstance(imported, FunctionEntity) and imported.module.workspace:
                yield imported
            elif isinstance(imported, ModuleEntity) and imported.file.workspace:
                loaded = context.workspace.load(imported.file)
                if loaded is None:
                    continue
                for row, declaration in loaded.declarations_with("setattr"):
                    if isinstance(declaration, model.Function):
                        yield FunctionEntity(loaded, declaration, row, declaration.name)
