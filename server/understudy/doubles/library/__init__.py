"""What the functions of libraries do that matter to a simulated test: :mod:`unittest.mock`, pytest, pytest-mock,
:mod:`asyncio`, :mod:`contextlib`, :mod:`functools` and the built-in functions.

Everything else of a library is taken not to fail, not to configure the doubles that it is given, and to give
something that is not followed.
"""
