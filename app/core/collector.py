"""The garbage collector of an API process. An application imports this before its own modules, and settles it after.

What imports make stays for good. Looking it over again and again while it grows cost a fifth of the start, and
looking it over at every full collection later costs every request a little.
"""

import gc

gc.disable()


def settle() -> None:
    """The application is there: leave what it is made of alone, and collect from now on."""
    gc.freeze()
    gc.enable()
